#!/usr/bin/env python3
"""Turns the tables in this folder into C++: generate.py OUTPUT TABLE...

Type tables ("core_v1.txt" holds the types of core.v1) have three kinds of lines:

  type NAME [kind=GROUP/VERSION] [atomic]
    " A sentence about the type.
    FIELD TYPE NUMBER [FLAG...]

TYPE is bool, int32, int64, double, string, bytes, quantity, time, micro_time, int_or_string, raw,
json, schema_or_array, schema_or_bool, schema_or_strings or the short name of a type, after "[]" for
a list and "{}" for a map. NUMBER is the protobuf number, behind the numbers of the messages around
it ("1/2"), or "-". Flags: required; optional (a pointer upstream); keep (written when zero);
set, keys=A,B (list types; atomic without); merge[=KEY], retain_keys (patch strategy); atomic (a
map); go=TYPE (upstream's name of a named scalar or map); default=JSON.

resources.txt lists what is served; "later" marks what this build does not serve:

  group-version GROUP/VERSION
  [later] PLURAL SINGULAR KIND namespaced|cluster VERBS [short=A,B] [categories=A] [storage=GV/NAME]
    [later] SUBRESOURCE KIND[=GROUP/VERSION] VERBS
"""
import os
import sys

PREFIXES = {
    "meta.v1": "io.k8s.apimachinery.pkg.apis.meta.v1",
    "apiextensions.v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiregistration.v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
}
SCALARS = {
    "bool": ("boolean", 0), "int32": ("integer", 32), "int64": ("integer", 64),
    "double": ("number", 0), "string": ("string", 0), "bytes": ("bytes", 0),
    "quantity": ("quantity", 0), "time": ("time", 0), "micro_time": ("micro_time", 0),
    "int_or_string": ("int_or_string", 0), "raw": ("raw", 0), "json": ("raw", 0),
    "schema_or_array": ("schema_or_array", 0), "schema_or_bool": ("schema_or_bool", 0),
    "schema_or_strings": ("schema_or_strings", 0),
}
ALL_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '{"%s", %d}' % (escaped, len(text)) if text else "{}"


def flag(value):
    return "true" if value else "false"


def full_name(short):
    package, name = short.rsplit(".", 1)
    return PREFIXES.get(package, "io.k8s.api." + package) + "." + name


def split_version(group_version):
    group, _, version = group_version.rpartition("/")
    return group, version


class Lists:
    """Arrays of strings that several entries share."""

    def __init__(self):
        self.names = {}

    def span(self, items):
        if not items:
            return "{}"
        name = self.names.setdefault(tuple(items), "kList%d" % len(self.names))
        return "{%s, %d}" % (name, len(items))

    def write(self, out):
        for items, name in self.names.items():
            out.append("constexpr std::string_view %s[] = {%s};" %
                       (name, ", ".join(quoted(i) for i in items)))


def read_types(path, types):
    package = os.path.basename(path)[:-4].replace("_", ".")
    current = None
    for line in open(path, encoding="utf-8"):
        words = line.split()
        if not words or words[0] == "#":
            continue
        if not line.startswith(" "):
            current = {"name": full_name(package + "." + words[1]), "kind": words[1],
                       "group_version": None, "atomic": "atomic" in words[2:], "fields": [], "description": ""}
            for word in words[2:]:
                if word.startswith("kind="):
                    current["group_version"] = split_version(word[5:])
            types[current["name"]] = current
            continue
        if words[0] == '"':
            current["description"] = line.strip()[1:].strip()
            continue
        field = {"name": words[0], "type": words[1], "number": words[2]}
        for word in words[3:]:
            key, _, value = word.partition("=")
            field[key] = value if "=" in word else True
        current["fields"].append(field)


GO_TYPES = [""]


def go_type_index(name):
    if name not in GO_TYPES:
        GO_TYPES.append(name)
    return GO_TYPES.index(name)


def field_text(field, types, index, lists):
    kind = field["type"]
    is_list = is_map = False
    while kind[:2] in ("[]", "{}"):
        is_list |= kind[:2] == "[]"
        is_map |= kind[:2] == "{}"
        kind = kind[2:]
    target = None
    if kind in SCALARS:
        json_type, bits = SCALARS[kind]
    else:
        json_type, bits, target = "object", 0, full_name(kind)
    numbers = [] if field["number"] == "-" else [int(n) for n in field["number"].split("/")]
    outer = (numbers[:-1] + [0, 0])[:2]
    list_type = "set" if "set" in field else "map" if "keys" in field else "atomic"
    merge = field.get("merge", False)
    struct = target is not None and not is_list and not is_map and "optional" not in field
    atomic = "atomic" in field or (target is not None and types[target]["atomic"])
    parts = [
        quoted(field["name"]), "JsonType::" + json_type, flag(is_list), flag(is_map), str(bits),
        "ListType::" + list_type, flag(bool(merge)), flag("retain_keys" in field),
        flag("required" in field), quoted(merge if isinstance(merge, str) else ""),
        lists.span(field["keys"].split(",") if "keys" in field else []),
        str(numbers[-1]) if numbers else "0", quoted(field.get("default", "")),
        "&kTypes[%d]" % index[target] if target else "nullptr", flag(atomic),
        flag("optional" in field), flag("keep" in field or struct),
        "{%d, %d}" % tuple(outer), str(go_type_index(field.get("go", ""))),
    ]
    return "  {%s}," % ", ".join(parts)


def write_types(types, lists, out):
    names = sorted(types)
    index = {name: i for i, name in enumerate(names)}
    fields, entries, start = [], [], 0
    for name in names:
        entry = types[name]
        entry["fields"].sort(key=lambda f: f["name"].encode())
        fields += [field_text(f, types, index, lists) for f in entry["fields"]]
        count = len(entry["fields"])
        group, version = entry["group_version"] or ("", "")
        entries.append("  {%s, %s, %s, %s, %s, %s, %s, %s}," % (
            quoted(name), quoted(group), quoted(version),
            quoted(entry["kind"]) if entry["group_version"] else "{}",
            "{kFields + %d, %d}" % (start, count) if count else "{}",
            lists.span([f["name"] for f in entry["fields"] if "required" in f]),
            quoted(entry["description"]), flag(entry["atomic"])))
        start += count
    out.append("extern const TypeInfo kTypes[%d];" % len(names))
    out.append("")
    lists_at = len(out)
    out.append("constexpr FieldInfo kFields[] = {")
    out += fields
    out.append("};")
    out.append("")
    out.append("constinit const TypeInfo kTypes[%d] = {" % len(names))
    out += entries
    out.append("};")
    return index, lists_at


def read_resources(path):
    resources, group_version, skipped = [], None, False
    for line in open(path, encoding="utf-8"):
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "group-version":
            group_version = split_version(words[1])
            continue
        later = words[0] == "later"
        words = words[1:] if later else words
        if line.startswith(" "):
            if not later and not skipped:
                resources[-1]["subresources"].append(words)
            continue
        skipped = later
        if later:
            continue
        entry = {"group_version": group_version, "words": words[:5], "subresources": []}
        for word in words[5:]:
            key, _, value = word.partition("=")
            entry[key] = value
        resources.append(entry)
    return resources


def resource_texts(resources, types, index, lists, out):
    by_kind = {(t["group_version"], t["kind"]): name for name, t in types.items()
               if t["group_version"]}
    texts = []
    for number, entry in enumerate(resources):
        group, version = entry["group_version"]
        plural, singular, kind, scope, verbs = entry["words"]
        subs = []
        for name, sub_kind, sub_verbs in entry["subresources"]:
            sub_kind, _, other = sub_kind.partition("=")
            sub_group, sub_version = split_version(other) if other else (group, version)
            subs.append("  {%s, %s, %s, %s, %s}," % (
                quoted(name), quoted(sub_group), quoted(sub_version), quoted(sub_kind),
                lists.span(sub_verbs.split(","))))
        if subs:
            out.append("constexpr SubresourceInfo kSubresources%d[] = {" % number)
            out += subs
            out.append("};")
        storage = entry.get("storage", "/" + plural).rsplit("/", 1)
        storage_group = split_version(storage[0])[0] if "storage" in entry else group
        target = by_kind[((group, version), kind)]
        texts.append("  {%s}," % ", ".join([
            quoted(group), quoted(version), quoted(plural), quoted(singular), quoted(kind),
            quoted(kind + "List"), flag(scope == "namespaced"),
            lists.span(ALL_VERBS if verbs == "all" else verbs.split(",")),
            lists.span(entry["short"].split(",") if "short" in entry else []),
            lists.span(entry["categories"].split(",") if "categories" in entry else []),
            "{kSubresources%d, %d}" % (number, len(subs)) if subs else "{}",
            quoted(storage_group), quoted(storage[1]), "&kTypes[%d]" % index[target]]))
    return texts


def main():
    types, resources = {}, []
    for path in sys.argv[2:]:
        if os.path.basename(path) == "resources.txt":
            resources = read_resources(path)
        else:
            read_types(path, types)
    lists, body = Lists(), []
    index, lists_at = write_types(types, lists, body)
    tail = []
    texts = resource_texts(resources, types, index, lists, tail)
    tail.append("constexpr ResourceInfo kResources[] = {")
    tail += texts
    tail.append("};")
    tail.append("constexpr std::string_view kGoTypes[] = {%s};" % ", ".join(map(quoted, GO_TYPES)))
    tail += ["", "}  // namespace", "",
             "std::string_view go_type_name(const FieldInfo& f) { return kGoTypes[f.go_type]; }",
             "std::span<const TypeInfo> all_types() { return kTypes; }",
             "std::span<const ResourceInfo> all_resources() { return kResources; }", "",
             "}  // namespace skiff::api", ""]
    strings = []
    lists.write(strings)
    body[lists_at:lists_at] = strings + [""]
    head = ["// Made by src/api/schema/generate.py; do not edit.", "#include <skiff/api/kind.h>",
            "#include <skiff/api/schema.h>", "", "namespace skiff::api {", "", "namespace {", ""]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("\n".join(head + body + tail))


main()
