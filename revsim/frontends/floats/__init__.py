"""Float networks and their calibration to int8."""
