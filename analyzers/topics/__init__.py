"""Topics of a service's prompts: found once, then followed from day to day under the same ids."""
