"""The company profile (one record for CLI, API and page), exports."""
