/* The C++ peer of the interoperability tests: tests/interop/README.md says what each verb does and prints.
 *
 * It sends the series from C++ values and prints what C++ values turned into: the JSON below is written by this
 * program, not by the library. */
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <iostream>

#include <weir/weir.hpp>

using namespace std::chrono_literals;

static constexpr auto LIMIT = 20s;

/* ---- writing the series ---- */

static void send_map(weir::writer &w, int i, const weir::send_options &options) {
    const bool on = i % 2 == 0;
    w.send(weir::map{{"half", i + 0.5}, {"i", i}, {"name", "zwölf €𝄞"}, {"none", nullptr}, {"on", on}}, options);
}

static void send_matrix(weir::writer &w, int i, const weir::send_options &options) {
    auto room = w.reserve<double>({2, 3}, options);
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < 3; c++)
            room(r, c) = i + r + c / 4.0;
    room.commit();
}

static void send_vector(weir::writer &w, int i, const weir::send_options &options) {
    std::array<std::int32_t, 5> vector;
    for (int k = 0; k < 5; k++)
        vector[static_cast<std::size_t>(k)] = 10 * i - k;
    w.send(vector, options);
}

static void send_column(weir::writer &w, int i, const weir::send_options &options) {
    std::vector<double> column;
    for (int c = 0; c < 2; c++)
        for (int r = 0; r < 3; r++)
            column.push_back(i + r - c / 4.0);
    w.send(weir::as_array(column, {3, 2}, weir::order::column), options);
}

static void send_integers(weir::writer &w, int, const weir::send_options &options) {
    w.send(weir::list(0, -1, INT64_C(9007199254740993), INT64_MAX, INT64_MIN), options);
}

static void send_nested(weir::writer &w, int i, const weir::send_options &options) {
    weir::document inner = weir::list(3, weir::map{{"b", weir::list()}});
    w.send(weir::map{{"a", weir::list(1, weir::list(2, inner))}, {"i", i}}, options);
}

static void send_blob(weir::writer &w, int i, const weir::send_options &options) {
    std::vector<std::uint8_t> blob(100000);
    for (std::size_t k = 0; k < blob.size(); k++)
        blob[k] = static_cast<std::uint8_t>((static_cast<std::size_t>(i) + 7 * k) % 251);
    w.send(blob, options);
}

static void send_text(weir::writer &w, int i, const weir::send_options &options) {
    w.send("tick\t" + std::to_string(i) + " \"quoted\" \\ back", options);
}

static void send_empty(weir::writer &w, int, const weir::send_options &) {
    w.send({.op = "empty"});
}

static const struct {
    const char *op;
    void (*send)(weir::writer &w, int i, const weir::send_options &options);
} SERIES[] = {{"map", send_map},       {"text", send_text},         {"matrix", send_matrix},
              {"vector", send_vector}, {"column", send_column},     {"integers", send_integers},
              {"empty", send_empty},   {"nested", send_nested},     {"blob", send_blob}};

/* ---- printing ---- */

static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        const std::size_t known = std::string_view("\"\\\n\r\t\b\f").find(c);
        if (known != std::string_view::npos) {
            out += '\\';
            out += "\"\\nrtbf"[known];
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escaped[8];
            std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            out += escaped;
        } else {
            out += c;
        }
    }
    return out + '"';
}

static std::string json(weir::value v);

static std::string json_map(weir::value v) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (auto [key, item] : v.pairs())
        pairs.emplace_back(key.as<std::string>(), json(item));
    std::ranges::sort(pairs);
    std::string out;
    for (const auto &[key, item] : pairs)
        out += (out.empty() ? "" : ",") + quoted(key) + ":" + item;
    return "{" + out + "}";
}

static std::string json_array(weir::value v) {
    std::string out;
    for (weir::value item : v.items())
        out += (out.empty() ? "" : ",") + json(item);
    return "[" + out + "]";
}

static std::string json_float(double number) {
    char text[32];
    std::string out(text, std::to_chars(text, text + sizeof(text), number).ptr);
    return out.find_first_of(".en") == std::string::npos ? out + ".0" : out;
}

template <typename T> static std::string array_check(const weir::ndarray &array) {
    weir::array_view<T> view(array.raw());
    const bool is_row = view.order() == weir::order::row || view.rank() < 2;
    const std::uint64_t rows = view.rank() > 1 ? view.shape()[0] : 1;
    const std::uint64_t columns = view.rank() > 1 ? view.shape()[1] : view.size();
    long double check = 0;
    std::uint64_t k = 0;
    for (std::uint64_t r = 0; r < rows; r++)
        for (std::uint64_t c = 0; c < columns; c++)
            check += 4.0L * static_cast<long double>(++k) * (view.rank() > 1 ? view(r, c) : view[c]);
    return array.type() + (is_row ? " row " : " column ") + std::to_string(static_cast<long long>(check));
}

static std::string array_line(const weir::ndarray &array) {
    if (array.rank() > 2)
        throw weir::type_error("the peer checks arrays of one or two dimensions, this is " + array.type());
    switch (array.element()) {
    case weir::element::u8: return array_check<std::uint8_t>(array);
    case weir::element::u16: return array_check<std::uint16_t>(array);
    case weir::element::u32: return array_check<std::uint32_t>(array);
    case weir::element::u64: return array_check<std::uint64_t>(array);
    case weir::element::i8: return array_check<std::int8_t>(array);
    case weir::element::i16: return array_check<std::int16_t>(array);
    case weir::element::i32: return array_check<std::int32_t>(array);
    case weir::element::i64: return array_check<std::int64_t>(array);
    case weir::element::f32: return array_check<float>(array);
    case weir::element::f64: return array_check<double>(array);
    }
    throw weir::type_error("an array of unknown elements: " + array.type());
}

static std::string json(weir::value v) {
    switch (v.kind()) {
    case weir::kind::null: return "null";
    case weir::kind::boolean: return v.as<bool>() ? "true" : "false";
    case weir::kind::int64:
    case weir::kind::uint64:
    case weir::kind::bigint: return v.digits();
    case weir::kind::float32:
    case weir::kind::float64: return json_float(v.as<double>());
    case weir::kind::text: return quoted(v.as<std::string_view>());
    case weir::kind::array: return json_array(v);
    case weir::kind::map: return json_map(v);
    default: throw weir::type_error("the peer has no line for " + v.type());
    }
}

static std::string line_of(weir::value v) {
    if (v.is_null())
        return "-";
    return v.kind() == weir::kind::ndarray ? array_line(v.as<weir::ndarray>()) : json(v);
}

static void print_message(const weir::message_ref &m) {
    std::cout << m.seq() << '\t' << m.gap() << '\t' << m.op() << '\t' << line_of(m.meta()) << '\t' << line_of(m.data())
              << std::endl;
}

static void print_ready() {
    std::cout << "ready" << std::endl;
}

/* ---- the verbs ---- */

static int run_write(const std::string &address, int count) {
    weir::writer w(address);
    w.set_timeout(LIMIT);
    print_ready();
    for (int i = 0; i < count; i++) {
        const auto &row = SERIES[i % std::size(SERIES)];
        weir::map meta{{"i", i}, {"unit", "V"}};
        row.send(w, i, {.op = row.op, .meta = meta});
    }
    return 0;
}

static int run_read(const std::string &address, int count) {
    weir::reader r(address);
    print_ready();
    for (int i = 0; i < count; i++) {
        auto m = r.next(LIMIT);
        if (!m)
            throw weir::timeout_error("only " + std::to_string(i) + " of " + std::to_string(count) + " messages came");
        print_message(*m);
    }
    return 0;
}

static int run_latest(const std::string &address) {
    try {
        print_message(weir::latest(address));
    } catch (const weir::not_found_error &) {
        return 3;
    }
    return 0;
}

static int run_call(const std::string &address, const std::string &op, const std::string &text) {
    weir::client c(address);
    print_ready();
    try {
        weir::document data;
        if (!text.empty())
            data = weir::decode(weir::codec::json, text);
        std::string line = line_of(c.call(op, data, LIMIT).data()); // before anything is printed: it may throw
        std::cout << "ok\t" << line << std::endl;
    } catch (const weir::remote_error &e) {
        std::cout << "error\t" << e.server_code() << '\t' << e.what() << std::endl;
        return 1;
    }
    return 0;
}

static int run_serve(const std::string &address, const std::string &op, int count) {
    weir::server s(address);
    print_ready();
    for (int i = 0; i < count; i++) {
        auto request = s.next(LIMIT);
        if (!request)
            throw weir::timeout_error("only " + std::to_string(i) + " of " + std::to_string(count) + " requests came");
        if (request->op() == op)
            s.reply(*request, request->data(), weir::map{{"by", "serve"}});
        else
            s.fail(*request, 42, "no operation " + std::string(request->op()) + " here");
    }
    return 0;
}

static int run(const std::vector<std::string> &words) {
    const std::string verb = words.empty() ? "" : words[0];
    if (verb == "write" && words.size() == 3)
        return run_write(words[1], std::stoi(words[2]));
    if (verb == "read" && words.size() == 3)
        return run_read(words[1], std::stoi(words[2]));
    if (verb == "latest" && words.size() == 2)
        return run_latest(words[1]);
    if (verb == "call" && (words.size() == 3 || words.size() == 4))
        return run_call(words[1], words[2], words.size() == 4 ? words[3] : "");
    if (verb == "serve" && words.size() == 4)
        return run_serve(words[1], words[2], std::stoi(words[3]));
    throw weir::invalid_error(
        "usage: peer write ADDR N | read ADDR N | latest ADDR | call ADDR OP [JSON] | serve ADDR OP N");
}

int main(int count, char **words) {
    try {
        return run(std::vector<std::string>(words + 1, words + count));
    } catch (const weir::error &e) {
        std::cerr << e.name() << ": " << e.what() << std::endl;
    } catch (const std::exception &e) {
        std::cerr << e.what() << std::endl;
    }
    return 2;
}
