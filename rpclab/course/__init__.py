"""What a teacher does around the labs: hands a course out, tries a machine, looks at a class, brings the labs to nbgrader."""

__all__: list[str] = []
