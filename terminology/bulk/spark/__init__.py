"""Coded data on a Spark cluster: the judge, and the terminology's questions, as columns.

    from terminology.bulk import spark as tx

    content = tx.share(spark, data_dir="/data/terminology")
    judged = tx.validate(df, content, system="system", code="code", date="performed")
    own = df.where(tx.member_of(content, "system", "code", value_set=OWN_USE))

The terminology travels to the nodes once, as data, and a node opens it as any other process does: no
executor asks a server, and the same judge answers as everywhere. Needs the extra ``spark`` and Java 17, and this
package on every node.
"""

from terminology.bulk.spark.columns import display, member_of, subsumes, translate, validate
from terminology.bulk.spark.content import Content, share

__all__ = ["Content", "display", "member_of", "share", "subsumes", "translate", "validate"]
