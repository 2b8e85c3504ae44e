"""Recipes that made the built-in models."""
