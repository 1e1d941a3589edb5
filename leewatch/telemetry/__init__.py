"""What Leewatch tells about itself through OpenTelemetry, when the section `telemetry` says so."""
