"""A day of ordinary traffic in some minutes: does anything grow that should not?"""
