"""Reports as values, text, HTML, figures."""
