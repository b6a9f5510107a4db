"""Graphs of tensors through the four steps: samples, what is known of them, runs, reports."""
