// Runs when the job's steps are done, and knows what main.mjs saved for it.
console.log(`done with ${process.env.STATE_table}`);
