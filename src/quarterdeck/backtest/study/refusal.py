"""Why a study cannot be made."""


class StudyError(Exception):
    """The journal, the capture or the run does not allow it; the text is a sentence for people."""
