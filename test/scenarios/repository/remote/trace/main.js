require("./stage.js")("main");
