"""Reads a profile of pprof's form with nothing of Lowtide's, and prints it as JSON: read_pprof.py FILE"""
import gzip
import json
import sys


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def fields(data):
    """All fields of a message: number -> list of values."""
    result, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        else:
            assert tag & 7 == 0, f"wire type {tag & 7}"
        result.setdefault(tag >> 3, []).append(value)
    assert at == len(data), "cut off"
    return result


def numbers(packed):
    result, at = [], 0
    while at < len(packed):
        value, at = varint(packed, at)
        result.append(value)
    return result


profile = fields(gzip.open(sys.argv[1]).read())
strings = [each.decode() for each in profile[6]]
assert strings[0] == ""


def one(message, number):
    return message.get(number, [0])[0]


def text(message, number):
    return strings[one(message, number)]


def by_id(number):
    messages = [fields(each) for each in profile.get(number, [])]
    result = {one(each, 1): each for each in messages}
    assert len(result) == len(messages) and 0 not in result, "ids"
    return result


mappings, locations, functions = by_id(3), by_id(4), by_id(5)


def frames(location):
    for line in map(fields, location.get(4, [])):
        function = functions[one(line, 1)]
        yield {"name": text(function, 2), "system_name": text(function, 3), "file": text(function, 4), "line": one(line, 2)}


def place(location):
    mapping = mappings.get(one(location, 2))
    if mapping:
        assert one(mapping, 2) <= one(location, 3) < one(mapping, 3), "address outside of its mapping"
    return {"mapping": text(mapping, 5) if mapping else None, "address": one(location, 3), "lines": list(frames(location))}


def value_type(message):
    return [text(message, 1), text(message, 2)]


json.dump(
    {
        "sample_types": [value_type(fields(each)) for each in profile[1]],
        "default_sample_type": text(profile, 14),
        "period": one(profile, 12),
        "period_type": value_type(fields(profile[11][0])),
        "time_nanos": one(profile, 9),
        "duration_nanos": one(profile, 10),
        "comments": [strings[each] for each in profile.get(13, [])],
        "mappings": [
            {"file": text(each, 5), "build_id": text(each, 6), "has_functions": one(each, 7), "has_inline_frames": one(each, 10)}
            for each in mappings.values()
        ],
        "samples": [
            {
                "values": [signed(each) for each in numbers(sample[2][0])],
                "stack": [place(locations[each]) for each in numbers(one(sample, 1) or b"")],
            }
            for sample in map(fields, profile.get(2, []))
        ],
    },
    sys.stdout,
)
