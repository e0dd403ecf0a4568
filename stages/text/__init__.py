"""Pure functions on text and pages: values in, values out."""
