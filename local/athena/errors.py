"""Why a statement has no answer, in the words and codes that Athena has for it.

QueryFailed          the query ends FAILED, with this as its reason
├── Unsupported      correct for Athena perhaps, but beyond the local engine
├── BadData          a file is not what the table says
└── NotFound         a table, view, database or column that is not there
RequestRefused       there is no query: the request itself is at fault
"""


class QueryFailed(Exception):
    """A sentence, and the code that Athena puts before it; category 2 is the user's, 1 the system's."""

    code = "GENERIC_USER_ERROR"
    category = 2

    @property
    def reason(self) -> str:
        return f"{self.code}: {self}"


class Unsupported(QueryFailed):
    """The local engine cannot do this; it says so rather than give a wrong answer."""

    code = "NOT_SUPPORTED"


class NotFound(QueryFailed):
    """Something that the statement names does not exist."""

    code = "TABLE_NOT_FOUND"


class RequestRefused(Exception):
    """What Athena answers with an InvalidRequestException."""

    code = "InvalidRequestException"


class BadData(QueryFailed):
    """A file is not what the table says."""

    code = "HIVE_BAD_DATA"
