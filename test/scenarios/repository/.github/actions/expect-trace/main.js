// What it is for comes at the end of the job.
