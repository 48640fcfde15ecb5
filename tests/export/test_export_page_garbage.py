"""The records of a page do not keep Python's garbage collector busy, which would hold the event loop up for 20 ms."""

import gc

from qoder_async._wire.decode import split_page


def test_raw_records_are_none_of_the_collectors_business():
    page = split_page(b'{"data":[{"id":"drun_1"},{"id":"drun_2","x":[{}]}],"has_more":false}')

    assert [record.id for record in page.records] == ["drun_1", "drun_2"]
    assert not any(gc.is_tracked(record) for record in page.records)
