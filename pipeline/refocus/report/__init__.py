"""Tables, figures, and the pages docs/evidence.md and docs/study.md."""
