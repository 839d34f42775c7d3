/* Clients and servers: the ends of a call, a request and its one reply. */
#ifndef WEIR_CALL_HPP
#define WEIR_CALL_HPP

#include <stop_token>

#include <weir/channel.hpp>

namespace weir {

struct call_options {
    weir::timeout timeout = std::chrono::seconds(10);
    value meta{};
};

class client {
public:
    explicit client(const text_arg &address) {
        weir_client *made;
        weir_error e;
        detail::check(weir_client_open(address.c_str(), &made, &e), e);
        handle_.reset(made);
    }

    /* Ask, and wait for the reply, which is borrowed until the client's next call. What is not answered in time is
     * taken back, so that a late reply is nobody's.
     * Throws remote_error (the server's sentence), timeout_error (it says whether anybody serves), peer_error (the
     * server died). */
    template <typename T> message_ref call(const text_arg &op, const T &data, const call_options &options = {}) {
        weir_message *reply;
        weir_error e;
        const weir_value *v = argument_.from(data);
        detail::check(weir_client_call(raw(), op.c_str(), options.meta.raw(), v, options.timeout.ns(), &reply, &e), e);
        return message_ref(reply);
    }
    template <typename T> message_ref call(const text_arg &op, const T &data, weir::timeout wait) {
        return call(op, data, call_options{.timeout = wait});
    }
    /* A request without data. */
    message_ref call(const text_arg &op) { return call(op, value()); }

    /* Ask and go on. Many requests may be under way, and their replies come in any order. Returns the request's id.
     * Throws limit_error when WEIR_CALLS_MAX are under way, others as writer::send. */
    template <typename T> std::uint64_t send(const text_arg &op, const T &data, const value &meta = {}) {
        weir_error e;
        detail::check(weir_client_send(raw(), op.c_str(), meta.raw(), argument_.from(data), &e), e);
        return id();
    }
    std::uint64_t send(const text_arg &op) { return send(op, value()); }
    /* The next reply to any request, whose id() says to which, or to that one; replies to others are kept meanwhile.
     * Nothing when it has not come in time; then receive again.
     * Throws remote_error, peer_error: id() of the client says whose; that request has ended. */
    std::optional<message_ref> receive(weir::timeout wait = forever) {
        weir_message *reply;
        weir_error e;
        return received(weir_client_receive(raw(), wait.ns(), &reply, &e), reply, e);
    }
    std::optional<message_ref> receive(std::uint64_t id, weir::timeout wait = forever) {
        weir_message *reply;
        weir_error e;
        return received(weir_client_receive_id(raw(), id, wait.ns(), &reply, &e), reply, e);
    }
    /* Take a request back; the server is told. Throws invalid_error when it is not under way. */
    void cancel(std::uint64_t id) {
        weir_error e;
        detail::check(weir_client_cancel(raw(), id, &e), e);
    }
    /* The request that the last call, send, receive or cancel was about; 0: none yet. */
    std::uint64_t id() const noexcept { return weir_client_id(raw()); }
    /* How many requests were sent whose reply was not received. */
    std::uint32_t under_way() const noexcept { return weir_client_under_way(raw()); }
    /* As reader::fd. */
    int fd() {
        int found;
        weir_error e;
        detail::check(weir_client_fd(raw(), &found, &e), e);
        return found;
    }
    weir_client *raw() const noexcept { return handle_.get(); }

private:
    static std::optional<message_ref> received(int status, weir_message *const &reply, const weir_error &e) {
        if (status == WEIR_ETIMEOUT)
            return std::nullopt;
        detail::check(status, e);
        return message_ref(reply);
    }

    detail::handle<weir_client, weir_client_close> handle_;
    detail::argument argument_;
};

/* Thrown by a handler of server::serve: the client gets this number and sentence. */
class refusal : public std::runtime_error {
public:
    refusal(int code, const std::string &sentence) : std::runtime_error(sentence), code_(code) {}
    int code() const noexcept { return code_; }

private:
    int code_;
};

class server {
public:
    /* One per address: throws busy_error when somebody serves there already. */
    explicit server(const text_arg &address) {
        weir_server *made;
        weir_error e;
        detail::check(weir_server_open(address.c_str(), &made, &e), e);
        handle_.reset(made);
    }

    /* Another handle to the same server, for another thread: each request goes to exactly one of them. A handle is used
     * by one thread at a time. Make the first before a request is taken. */
    server worker() {
        weir_server *made;
        weir_error e;
        detail::check(weir_server_worker(raw(), &made, &e), e);
        return server(made);
    }

    /* The next request, borrowed until the next next; nothing when none came in time. Answer each once, with reply or
     * fail. */
    std::optional<message_ref> next(weir::timeout wait = forever) {
        weir_message *found;
        weir_error e;
        int status = weir_server_next(raw(), wait.ns(), &found, &e);
        if (status == WEIR_ETIMEOUT)
            return std::nullopt;
        detail::check(status, e);
        return message_ref(found);
    }
    /* Answer a request, or a copy of it, later. */
    template <typename T> void reply(const message_ref &request, const T &data, const value &meta = {}) {
        weir_error e;
        detail::check(weir_server_reply(raw(), request.raw(), meta.raw(), argument_.from(data), &e), e);
    }
    void reply(const message_ref &request) { reply(request, value()); }
    /* Answer with an error: the client's call throws remote_error. */
    void fail(const message_ref &request, int code, const text_arg &sentence) {
        weir_error e;
        detail::check(weir_server_fail(raw(), request.raw(), code, sentence.c_str(), &e), e);
    }

    /* Has the client taken it back, or given up? Give it a copy of the request, which it looks for among what has come,
     * so that what next returned is no longer lent; or, of a handle with workers, the request itself. */
    bool is_cancelled(const message_ref &request) noexcept {
        return weir_server_is_cancelled(raw(), request.raw()) != 0;
    }

    /* Answer one request with what @handler(request) returns (nothing, or anything that can be sent). What the handler
     * throws becomes the error: a refusal with its number, any other exception with -1. False when no request came in
     * time. */
    template <typename Handler> bool serve_one(Handler &&handler, weir::timeout wait = forever) {
        std::optional<message_ref> request = next(wait);
        if (request)
            answer(*request, handler);
        return request.has_value();
    }
    /* Answer requests until the token says stop, or without one until the channel is closed. */
    template <typename Handler> void serve(Handler &&handler, std::stop_token stop = {}) {
        const weir::timeout slice = stop.stop_possible() ? weir::timeout(std::chrono::milliseconds(100)) : forever;
        while (!stop.stop_requested())
            serve_one(handler, slice);
    }

    /* As reader::fd. */
    int fd() {
        int found;
        weir_error e;
        detail::check(weir_server_fd(raw(), &found, &e), e);
        return found;
    }
    weir_server *raw() const noexcept { return handle_.get(); }

private:
    explicit server(weir_server *made) noexcept { handle_.reset(made); }

    template <typename Handler> void answer(const message_ref &request, Handler &handler) {
        int code = -1;
        std::string sentence;
        try {
            if constexpr (std::is_void_v<decltype(handler(request))>) {
                handler(request);
                return reply(request);
            } else {
                return reply(request, handler(request));
            }
        } catch (const refusal &e) {
            code = e.code();
            sentence = e.what();
        } catch (const std::exception &e) {
            sentence = e.what();
        }
        fail(request, code, sentence);
    }

    detail::handle<weir_server, weir_server_close> handle_;
    detail::argument argument_;
};

/* Many readers, servers and file descriptors waited for at once. They must outlive the set. */
class wait_set {
public:
    /* Each returns the index under which is_ready() answers for it. */
    std::size_t add(reader &end) { return add({end.raw(), nullptr, -1, 0}); }
    std::size_t add(server &end) { return add({nullptr, end.raw(), -1, 0}); }
    std::size_t add(int fd) { return add({nullptr, nullptr, fd, 0}); }
    void clear() noexcept { items_.clear(); }

    /* Wait until at least one has something to do; false when none had in time. Earlier messages are released. */
    bool wait(weir::timeout limit = forever) {
        weir_error e;
        int status = weir_wait(items_.data(), items_.size(), limit.ns(), &e);
        if (status == WEIR_ETIMEOUT)
            return false;
        detail::check(status, e);
        return true;
    }
    bool is_ready(std::size_t index) const { return items_.at(index).is_ready != 0; }

private:
    std::size_t add(weir_wait_item item) {
        items_.push_back(item);
        return items_.size() - 1;
    }

    std::vector<weir_wait_item> items_;
};

} // namespace weir

#endif
