"""Selections as files of other programs, and the other way; docs/exports.md says what each reader does."""
