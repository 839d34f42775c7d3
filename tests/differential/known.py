"""Where weir and a peer disagree about damaged bytes, one by one, with the reason. What is not here is a failure."""
import re


class Known:
    """who: the peers whose names begin so. what: "accepts" what weir refuses with this sentence, "refuses" with this
    sentence what weir accepts, "reads" another value, with where they differ for the sentence; "any" of these. value,
    data: what must be found in the neutral text of the one who accepts, and in the bytes."""

    def __init__(self, who, what, sentence, why, value="", data=b""):
        self.who, self.what, self.why = who, what, why
        self.sentence = re.compile(sentence)
        self.value, self.data = re.compile(value.encode()), re.compile(data, re.S)


KNOWN = [
    Known("json", "accepts", "half a surrogate pair", "Python's texts may hold half a surrogate pair",
          value=r"\\ud[89a-f]"),
    Known("json", "accepts", "a number beyond float64", "numbers too great are infinite", value="fff?0000"),
    Known("cbor2", "refuses", "Duplicate map key", "a dict would keep only the last of repeated keys"),
    Known("cbor2", "refuses", "CBORDecodeError: error decoding (string-form|epoch|positive|negative|decimal|bigfloat)",
          "a tag around what it does not allow, which weir keeps as it is when not strict", value=r'\$tag'),
    Known("cbor2", "refuses", "error decoding (string reference|shared)", "references are looked up",
          value=r'\$tag":\[(25|28|29|256),'),
    Known("cbor2", "reads", r"\{'\$tag': \[4, .*\| \{'\$decimal'", "exponents may be beyond 32 bits"),
    Known("cbor2", "reads", r"\{'\$tag': \[5, .*\| \{'\$decimal'", "bigfloats become decimals"),
    Known("cbor2", "reads", r"\{'\$tag': \[[01], .*\| \{'\$time'",
          "every time is one, also those that weir would write in another way and therefore leaves tagged"),
    Known("cbor2", "reads", r"\[\$time\]: ", "times are rounded to microseconds"),
    Known("cbor2", "reads", r"\{'\$tag': .*\| \{'\$python'", "other tags become types of Python"),
    Known("libcbor", "refuses", "malformed", "no simple values but the named ones; no tags 6 to 20 in one byte",
          value=r'\$simple|\$tag":\[([6-9]|1\d|20),'),
    Known("libcbor", "reads", r"\[\$f32\]: '[7f]f.{6}' \| '[7f]fc00000'$", "halves have one NaN"),
    Known("jackson-cbor", "reads", r": \{'\$simple': \[(\d+), None\]\} \| \1$", "simple values are integers"),
    Known("jackson-cbor", "reads", r": \{'\$(tag|time|ndarray|bson)': ",
          "tags without a type of its own are passed over"),
    Known("jackson-cbor", "reads", r"\[0\]: \{'\$bin': .*\| '", "names in bytes are read as texts"),
    Known("jackson-cbor", "reads", r"\[0\]: (-?\d+) \| '\1'$", "names that are integers are read as texts"),
    Known("jackson-cbor", "reads", r": \{'\$undefined': True\} \| None$", "undefined is null"),
    Known("jackson-cbor", "reads", r": -?\d{19,} \| -?\d+$", "bytes of bignums are signed", data=rb"[\xc2\xc3]"),
    Known("jackson-cbor", "refuses", "bigfloat|out of range of int",
          "a tag around what it does not allow, which weir keeps as it is when not strict", value=r'\$tag":\[[45],'),
    Known("jackson-cbor", "refuses", "Unsupported major type", "names are texts, bytes or integers"),
    Known("jackson-cbor", "accepts", "not UTF-8", "bad UTF-8 is read as something"),
    Known("jackson-cbor", "accepts", "more bytes behind the document",
          "a tag without content is passed over at the end", data=rb"[\xc0-\xdb].{0,8}$"),
    Known("jackson-smile", "accepts", "a byte with its high bit set in",
          "the high bit of packed bytes is not looked at"),
    Known("jackson-smile", "accepts", "a number that ends in no byte that it can end in",
          "the second bit of a VInt's last byte is not looked at"),
    Known("jackson-smile", "accepts", "not ASCII|not UTF-8", "bad UTF-8 is read as something"),
    Known("jackson-smile", "accepts", "more bytes behind the document", "nothing is read behind the end marker",
          data=rb"\xff."),
    Known("jackson-smile", "refuses", "REQUIRE_HEADER", "the header, which the format lets away, is asked for"),
    Known("jackson-smile", "accepts", "a number beyond (32|64) bits", "what is beyond that is cut off"),
    Known("jackson-smile", "accepts", "an integer without bytes", "an integer without bytes is 0"),
    Known("jackson-smile", "refuses", "VInt extends beyond", "a VInt may not begin with groups of zeros"),
    Known("jackson-smile", "reads", r"\[0\]: '.*\| '.*\ufffd",
          "names are kept for other documents, where those that were bad UTF-8 are found for others"),
    Known("jackson-smile", "any", "", "64-bit integers are read as five bytes at least",
          data=rb"\x25[\x00-\x7f]{0,3}[\x80-\xff]"),
    Known("jackson-smile", "reads", r": (-?\d+ \| -?\d+|\{'\$bin'.*|'.*)$",
          "spare bits of packed bytes run into the value", data=rb"[\x26\x2a\xe8]"),
    Known("bson", "reads", r"\[\$bson\]\[1\]\[1\]: '", "options of regular expressions are a set of known letters"),
    Known("libbson", "accepts", "a string that does not end in a NUL",
          "the last byte of a code with scope is not looked at", value=r'\$bson":\[15'),
    Known("libbson", "accepts", "not UTF-8",
          "continuation bytes are taken for such whatever they are, and texts of code and the like are not looked at"),
    Known("libbson", "refuses", "corrupt BSON", "names of array items are looked at", value=r'":\[|,\['),
    Known("libbson", "accepts", "a document that does not end in a NUL",
          "the last byte of inner documents is not looked at"),
]


def find(peer, what, sentence, value, data):
    for known in KNOWN:
        if (peer.name.startswith(known.who) and known.what in (what, "any") and known.sentence.search(sentence) and
                known.value.search(value) and known.data.search(data)):
            return known
    return None
