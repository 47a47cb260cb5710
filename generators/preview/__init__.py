"""Pictures for people: contact sheets, and videos with phases, telemetry and the work order."""
