console.log("and cleaned up");
