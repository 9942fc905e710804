"""What only an operator reads when state is copied: backups, restores, and resources fetched from other servers."""

from __future__ import annotations

from collections.abc import Mapping

from terminology.sentences import Sentence


def _invalid(text: str) -> Sentence:
    return Sentence("error", "invalid", None, text)


def _security(text: str) -> Sentence:
    return Sentence("error", "security", None, text)


def _transient(text: str) -> Sentence:
    return Sentence("error", "transient", None, text)


TRANSFERS: Mapping[str, Sentence] = {
    # --- backup and restore -----------------------------------------------------------------------------
    "OWN_SPARK_STORE": _invalid(
        "A PostgreSQL store does not travel with a Spark job. Mirror it first (terminology pull) and name that data_dir"
    ),
    "OWN_BACKUP_UNWRITABLE": _invalid("'{0}' cannot be written: {1}. Name a file in a folder that exists and has room"),
    "OWN_BACKUP_NOTHING": Sentence(
        "error", "not-found", None, "There is nothing to back up: {0} is no folder. Name the data_dir of the service"
    ),
    "OWN_BACKUP_POSTGRESQL": Sentence(
        "error",
        "not-supported",
        None,
        "The resource store is a PostgreSQL database: copy it with pg_dump and pg_restore, and run this command for "
        "the rest without {0} and {1}",
    ),
    "OWN_BACKUP_FOREIGN": _invalid(
        "'{0}' is no backup of this program: {1}. Name a file that `terminology backup` made"
    ),
    "OWN_BACKUP_FORMAT": Sentence(
        "error",
        "not-supported",
        None,
        "'{0}' has the format {1}; this version reads {2}. Restore it with the version that made it",
    ),
    "OWN_BACKUP_DAMAGED": _invalid("The backup '{0}' is damaged: {1}. Nothing was changed; use another backup"),
    "OWN_BACKUP_HOSTILE": _security("The backup '{0}' is refused: {1}. Nothing was changed"),
    "OWN_BACKUP_NOT_EMPTY": Sentence(
        "error",
        "conflict",
        None,
        "{0} is in use already. Add --replace to put the backup in its place, or name another",
    ),
    "OWN_BACKUP_NO_PLACE": _invalid("'{0}' holds {1}, and this service has none. Write {2} or set {3}"),
    "OWN_BACKUP_NO_ROOM": Sentence("error", "no-store", None, "{0} needs {1} bytes and has {2}. Make room first"),
    "OWN_COPY_BUSY": _transient("The database {0} is busy without a pause. Run this again when less is written"),
    "OWN_COPY_UNREADABLE": _invalid("The database {0} cannot be copied: {1}. Check its path, its rights and the disk"),
    # --- other servers ----------------------------------------------------------------------------------
    "OWN_PULL_ADDRESS": _invalid(
        "'{0}' is no address of a FHIR server: {1}. Write one such as https://tx.example.org/fhir"
    ),
    "OWN_PULL_HEADER": _invalid("The header {0} cannot be sent: {1}. Write 'Name: value', or @FILE with such lines"),
    "OWN_PULL_REDIRECT": _security(
        "{0} leads on to {1}, and redirects are not followed. Name that address instead, if you trust it"
    ),
    "OWN_PULL_ORIGIN": _security(
        "The next page after {0} is at {1}, which is another server. It was not asked; name the address under which "
        "the server knows itself, or set its base address right"
    ),
    "OWN_PULL_LOOP": _invalid("The pages of {0} lead in a circle: {1} comes twice. Tell those who run that server"),
    "OWN_PULL_TOO_LARGE": Sentence(
        "error", "too-long", None, "{0} is larger than {1} bytes. Ask for smaller pages with --count"
    ),
    "OWN_PULL_TOO_MUCH": Sentence(
        "error", "too-long", None, "{0} has more than {1}. Fetch it in parts, with --type and --since"
    ),
    "OWN_PULL_STATUS": _invalid("{0} answered {1}{2}. Check the address and the rights of the headers you send"),
    "OWN_PULL_NOT_FHIR": _invalid("{0} answered with no {1}: {2}. Check that the address is the base of a FHIR server"),
    "OWN_PULL_GAVE_UP": _transient(
        "{0} did not answer in {1} attempts: {2}. Run the same command again later; it goes on where it stopped"
    ),
    "OWN_PULL_LATER": _transient(
        "{0} asks to wait for {1} seconds. Run the same command again after that; it goes on where it stopped"
    ),
    "OWN_PULL_RUNNING": Sentence(
        "error", "conflict", None, "Another `terminology pull` of {0} is under way. Wait for its end"
    ),
    "OWN_PULL_VERSION": Sentence(
        "error", "not-supported", None, "{0} speaks FHIR {1}; only R4 and R5 are read. If that is wrong, add --fhir"
    ),
    "OWN_PULL_NO_TYPE": Sentence(
        "warning", "incomplete", None, "{0} does not offer a search for {1}; none were fetched"
    ),
    "OWN_PULL_OUTCOME": Sentence("warning", "incomplete", None, "{0} says: {1}"),
    "OWN_PULL_PLAIN": Sentence(
        "warning",
        "security",
        None,
        "The headers go to {0} without encryption. Use https where others share the network",
    ),
    "OWN_PULL_GONE_STALE": Sentence(
        "information", "informational", None, "The pages of {0} that were left had expired; {1} was fetched anew"
    ),
    "OWN_ROW_SUBSETTED": _invalid("the server gives only a part of it (SUBSETTED); import it from its publisher"),
    "OWN_ROW_NOT_STRICT": _invalid("it cannot be used: {0}"),
    "OWN_ROW_NOT_A_RESOURCE": _invalid("the entry holds no resource"),
}
