"""Directed inputs and mutation: does a wrong gate show?"""
