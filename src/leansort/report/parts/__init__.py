"""Parts of a run's page beside its scores: goal, what was tried, photos, evidence, stress, data, commands.

Each part is shown where its data is there, and else named with the reason in the list of contents. Begin with
`evidence_content`; the templates beside it lay it out.
"""
