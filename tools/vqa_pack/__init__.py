"""Makes the embedded pack of the task ``vqa``: generated pictures with exactly known answers, for all fifteen scenarios."""
