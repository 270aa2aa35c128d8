require("./stage.js")("post");
