require("./stage.js")("pre");
