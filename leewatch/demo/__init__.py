"""The demonstration: generated applications, an incident, and a verdict on the alerts."""
