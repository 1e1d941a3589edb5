"""`leewatch mapping`: what payloads map to, and how well the telemetry of each service is covered."""
