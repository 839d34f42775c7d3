! The ends of calls: weir_client and weir_server. What weir_ends.f90 says about ends holds here too.
module weir_calls
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: int32, int64, real64
    use weir_constants
    use weir_content_module
    use weir_raw
    use weir_support
    implicit none
    private
    public :: weir_client, weir_server

    type, extends(weir_content) :: weir_client
        type(c_ptr) :: handle_ = c_null_ptr
        type(c_ptr) :: meta_doc_ = c_null_ptr
        type(c_ptr) :: data_doc_ = c_null_ptr
    contains
        procedure :: open => client_open
        procedure :: close => client_close
        procedure :: is_open => client_is_open
        procedure, private :: call_r32, call_r64, call_i8, call_i16, call_i32, call_i64
        procedure, private :: call_map
        ! call c%call(op, x [, meta, timeout, order, stat, errmsg]): ask, and wait for the reply, which c speaks of then
        generic :: call => call_r32, call_r64, call_i8, call_i16, call_i32, call_i64, call_map
        procedure :: call_json => client_call_json
        procedure, private :: send_r32, send_r64, send_i8, send_i16, send_i32, send_i64
        procedure, private :: send_map
        ! call c%send(op, x [, meta, order, unsigned, stat, errmsg]): ask and go on; c%id() is the request's then. Many
        ! may be under way.
        generic :: send => send_r32, send_r64, send_i8, send_i16, send_i32, send_i64, send_map
        procedure :: send_json => client_send_json
        procedure, private :: receive_any, receive_id
        ! c%receive([timeout, stat, errmsg]): the next reply, to any request; c%id() says to which, also when it is an
        ! error. c%receive(timeout, id [, stat, errmsg]), c%receive(id=id): the reply to that one.
        generic :: receive => receive_any, receive_id
        procedure :: id => client_id
        procedure :: cancel => client_cancel
        procedure :: under_way => client_under_way
        procedure :: fd => client_fd
        procedure, private :: client_assign
        generic :: assignment(=) => client_assign
        final :: client_final
    end type weir_client

    type, extends(weir_content) :: weir_server
        type(c_ptr) :: handle_ = c_null_ptr
        type(c_ptr) :: meta_doc_ = c_null_ptr
        type(c_ptr) :: data_doc_ = c_null_ptr
        type(c_ptr) :: copy_ = c_null_ptr ! of the request, which is message_ then
        logical :: is_shared_ = .false. ! requests do not lie in the channel
    contains
        procedure :: open => server_open
        procedure :: worker => server_worker
        procedure :: close => server_close
        procedure :: is_open => server_is_open
        procedure :: next => server_next
        procedure, private :: reply_r32, reply_r64, reply_i8, reply_i16, reply_i32, reply_i64
        procedure, private :: reply_map, reply_nothing
        ! call s%reply(x [, meta, order, stat, errmsg]): answer the request received last, once
        generic :: reply => reply_r32, reply_r64, reply_i8, reply_i16, reply_i32, reply_i64, reply_map, reply_nothing
        procedure :: reply_json => server_reply_json
        procedure :: fail => server_fail
        procedure :: is_cancelled => server_is_cancelled
        procedure :: fd => server_fd
        procedure, private :: server_assign
        generic :: assignment(=) => server_assign
        final :: server_final
    end type weir_server

contains

    ! ---- weir_client ----

    subroutine client_open(self, address, stat, errmsg)
        class(weir_client), intent(inout) :: self
        character(*), intent(in) :: address
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int) :: status
        call self%close()
        status = make_docs(self%data_doc_, self%meta_doc_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_client_open(c_text(trim(address)), handle, self%failure_)
        if (status == WEIR_OK) self%handle_ = handle
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine client_close(self)
        class(weir_client), intent(inout) :: self
        self%message_ = c_null_ptr
        self%handle_ = weir_raw_client_close(self%handle_)
        self%data_doc_ = weir_raw_doc_free(self%data_doc_)
        self%meta_doc_ = weir_raw_doc_free(self%meta_doc_)
    end subroutine

    pure logical function client_is_open(self) result(is_open)
        class(weir_client), intent(in) :: self
        is_open = c_associated(self%handle_)
    end function

    subroutine client_assign(self, other)
        class(weir_client), intent(inout) :: self
        type(weir_client), intent(in) :: other
        if (self%is_open() .or. other%is_open()) error stop 'a weir_client that is open cannot be copied: pass it on'
    end subroutine

    impure elemental subroutine client_final(self)
        type(weir_client), intent(inout) :: self
        call self%close()
    end subroutine

    ! A descriptor for poll: readable while there is something to receive.
    integer function client_fd(self, stat, errmsg) result(fd)
        class(weir_client), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        fd = -1
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_client_fd(self%handle_, fd, self%failure_)
        call settle(status, self%failure_, stat, errmsg)
    end function

    ! Ask with a value whose document is built. @status: of the building.
    subroutine ask(self, status, op, data, meta, timeout, stat, errmsg)
        class(weir_client), intent(inout) :: self
        integer(c_int), intent(in) :: status
        character(*), intent(in) :: op
        type(c_ptr), intent(in) :: data
        class(weir_map), intent(in), optional :: meta
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: metadata, reply
        integer(c_int) :: outcome
        real(real64) :: seconds
        seconds = 10
        if (present(timeout)) seconds = timeout
        outcome = status
        self%message_ = c_null_ptr
        if (outcome == WEIR_OK) outcome = build_map(self%meta_doc_, meta, value=metadata, raw=self%failure_)
        if (outcome == WEIR_OK) then
            outcome = weir_raw_client_call(self%handle_, op_of(op), metadata, data, nanoseconds(seconds), reply, &
                self%failure_)
        end if
        if (outcome == WEIR_OK) self%message_ = reply
        call settle(outcome, self%failure_, stat, errmsg)
    end subroutine

    ! Ask with data given as JSON text; without it, with no data. Waits 10 s unless timeout= says otherwise.
    subroutine client_call_json(self, op, json, meta, timeout, stat, errmsg)
        class(weir_client), intent(inout) :: self
        character(*), intent(in) :: op
        character(*), intent(in), optional :: json
        class(weir_map), intent(in), optional :: meta
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: data
        integer(c_int) :: status
        data = c_null_ptr
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK .and. present(json)) status = build_json(self%data_doc_, json, data, self%failure_)
        call ask(self, status, op, data, meta, timeout, stat, errmsg)
    end subroutine

    subroutine call_map(self, op, map, meta, timeout, stat, errmsg)
        class(weir_client), intent(inout) :: self
        character(*), intent(in) :: op
        class(weir_map), intent(in) :: map
        class(weir_map), intent(in), optional :: meta
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call self%call_json(op, map%json(), meta, timeout, stat, errmsg)
    end subroutine

    subroutine call_r32(self, op, x, meta, timeout, order, unsigned, stat, errmsg)
        real(c_float), intent(in) :: x(..)
        include 'call.inc'
    end subroutine

    subroutine call_r64(self, op, x, meta, timeout, order, unsigned, stat, errmsg)
        real(c_double), intent(in) :: x(..)
        include 'call.inc'
    end subroutine

    subroutine call_i8(self, op, x, meta, timeout, order, unsigned, stat, errmsg)
        integer(c_int8_t), intent(in) :: x(..)
        include 'call.inc'
    end subroutine

    subroutine call_i16(self, op, x, meta, timeout, order, unsigned, stat, errmsg)
        integer(c_int16_t), intent(in) :: x(..)
        include 'call.inc'
    end subroutine

    subroutine call_i32(self, op, x, meta, timeout, order, unsigned, stat, errmsg)
        integer(c_int32_t), intent(in) :: x(..)
        include 'call.inc'
    end subroutine

    subroutine call_i64(self, op, x, meta, timeout, order, unsigned, stat, errmsg)
        integer(c_int64_t), intent(in) :: x(..)
        include 'call.inc'
    end subroutine

    ! ---- many calls under way ----

    ! Send a request whose document is built. @status: of the building.
    subroutine begin(self, status, op, data, meta, stat, errmsg)
        class(weir_client), intent(inout) :: self
        integer(c_int), intent(in) :: status
        character(*), intent(in) :: op
        type(c_ptr), intent(in) :: data
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: metadata
        integer(c_int) :: outcome
        outcome = status
        self%message_ = c_null_ptr
        if (outcome == WEIR_OK) outcome = build_map(self%meta_doc_, meta, value=metadata, raw=self%failure_)
        if (outcome == WEIR_OK) then
            outcome = weir_raw_client_send(self%handle_, op_of(op), metadata, data, self%failure_)
        end if
        call settle(outcome, self%failure_, stat, errmsg)
    end subroutine

    ! Send a request with data given as JSON text; without it, with no data.
    subroutine client_send_json(self, op, json, meta, stat, errmsg)
        class(weir_client), intent(inout) :: self
        character(*), intent(in) :: op
        character(*), intent(in), optional :: json
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: data
        integer(c_int) :: status
        data = c_null_ptr
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK .and. present(json)) status = build_json(self%data_doc_, json, data, self%failure_)
        call begin(self, status, op, data, meta, stat, errmsg)
    end subroutine

    subroutine send_map(self, op, map, meta, stat, errmsg)
        class(weir_client), intent(inout) :: self
        character(*), intent(in) :: op
        class(weir_map), intent(in) :: map
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call self%send_json(op, map%json(), meta, stat, errmsg)
    end subroutine

    ! Wait for the next reply; .false. when none has come in time: then receive again.
    logical function receive_any(self, timeout, stat, errmsg) result(is_there)
        class(weir_client), intent(inout) :: self
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: reply
        integer(c_int) :: status
        self%message_ = c_null_ptr
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_client_receive(self%handle_, nanoseconds(timeout), reply, self%failure_)
        if (status == WEIR_OK) self%message_ = reply
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    ! The same for the reply to one request. Replies to others that come meanwhile are kept.
    logical function receive_id(self, timeout, id, stat, errmsg) result(is_there)
        class(weir_client), intent(inout) :: self
        real(real64), intent(in), optional :: timeout
        integer(int64), intent(in) :: id
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: reply
        integer(c_int) :: status
        self%message_ = c_null_ptr
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) then
            status = weir_raw_client_receive_id(self%handle_, id, nanoseconds(timeout), reply, self%failure_)
        end if
        if (status == WEIR_OK) self%message_ = reply
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    ! The request that the last call, send, receive or cancel was about; 0: none yet.
    pure integer(int64) function client_id(self) result(id)
        class(weir_client), intent(in) :: self
        id = 0
        if (self%is_open()) id = weir_raw_client_id(self%handle_)
    end function

    ! How many requests were sent whose reply was not received.
    pure integer function client_under_way(self) result(count)
        class(weir_client), intent(in) :: self
        count = 0
        if (self%is_open()) count = weir_raw_client_under_way(self%handle_)
    end function

    ! Take a request back; the server is told.
    subroutine client_cancel(self, id, stat, errmsg)
        class(weir_client), intent(inout) :: self
        integer(int64), intent(in) :: id
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        self%message_ = c_null_ptr
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_client_cancel(self%handle_, id, self%failure_)
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine send_r32(self, op, x, meta, order, unsigned, stat, errmsg)
        real(c_float), intent(in) :: x(..)
        include 'ask.inc'
    end subroutine

    subroutine send_r64(self, op, x, meta, order, unsigned, stat, errmsg)
        real(c_double), intent(in) :: x(..)
        include 'ask.inc'
    end subroutine

    subroutine send_i8(self, op, x, meta, order, unsigned, stat, errmsg)
        integer(c_int8_t), intent(in) :: x(..)
        include 'ask.inc'
    end subroutine

    subroutine send_i16(self, op, x, meta, order, unsigned, stat, errmsg)
        integer(c_int16_t), intent(in) :: x(..)
        include 'ask.inc'
    end subroutine

    subroutine send_i32(self, op, x, meta, order, unsigned, stat, errmsg)
        integer(c_int32_t), intent(in) :: x(..)
        include 'ask.inc'
    end subroutine

    subroutine send_i64(self, op, x, meta, order, unsigned, stat, errmsg)
        integer(c_int64_t), intent(in) :: x(..)
        include 'ask.inc'
    end subroutine

    ! ---- weir_server ----

    subroutine server_open(self, address, stat, errmsg)
        class(weir_server), intent(inout) :: self
        character(*), intent(in) :: address
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int) :: status
        call self%close()
        status = make_docs(self%data_doc_, self%meta_doc_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_server_open(c_text(trim(address)), handle, self%failure_)
        if (status == WEIR_OK) self%handle_ = handle
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    ! Open @other as another handle to the same server, for another thread: each request goes to exactly one of them.
    ! Each is used by one thread at a time. Make the first one before a request is taken.
    subroutine server_worker(self, other, stat, errmsg)
        class(weir_server), intent(inout) :: self
        class(weir_server), intent(inout) :: other
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int) :: status
        call other%close()
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = make_docs(other%data_doc_, other%meta_doc_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_server_worker(self%handle_, handle, self%failure_)
        if (status == WEIR_OK) then
            other%handle_ = handle
            other%is_shared_ = .true.
            self%is_shared_ = .true.
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    ! Speak of no request any more.
    subroutine request_forget(self)
        class(weir_server), intent(inout) :: self
        self%message_ = c_null_ptr
        self%copy_ = weir_raw_message_free(self%copy_)
    end subroutine

    subroutine server_close(self)
        class(weir_server), intent(inout) :: self
        call request_forget(self)
        self%is_shared_ = .false.
        self%handle_ = weir_raw_server_close(self%handle_)
        self%data_doc_ = weir_raw_doc_free(self%data_doc_)
        self%meta_doc_ = weir_raw_doc_free(self%meta_doc_)
    end subroutine

    pure logical function server_is_open(self) result(is_open)
        class(weir_server), intent(in) :: self
        is_open = c_associated(self%handle_)
    end function

    subroutine server_assign(self, other)
        class(weir_server), intent(inout) :: self
        type(weir_server), intent(in) :: other
        if (self%is_open() .or. other%is_open()) error stop 'a weir_server that is open cannot be copied: pass it on'
    end subroutine

    impure elemental subroutine server_final(self)
        type(weir_server), intent(inout) :: self
        call self%close()
    end subroutine

    ! A descriptor for poll: readable while there is something to receive.
    integer function server_fd(self, stat, errmsg) result(fd)
        class(weir_server), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        fd = -1
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_server_fd(self%handle_, fd, self%failure_)
        call settle(status, self%failure_, stat, errmsg)
    end function

    ! Wait for the next request: ask s about it, s%op(), s%array(x), ..., then reply or fail.
    logical function server_next(self, timeout, stat, errmsg) result(is_there)
        class(weir_server), intent(inout) :: self
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: message
        integer(c_int) :: status
        call request_forget(self)
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_server_next(self%handle_, nanoseconds(timeout), message, self%failure_)
        if (status == WEIR_OK) self%message_ = message
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    ! Whether there is a request to answer.
    integer(c_int) function check_request(self) result(status)
        class(weir_server), intent(inout) :: self
        status = check_open(self%handle_, self%failure_)
        if (status /= WEIR_OK .or. self%has_message()) return
        call settle_text(WEIR_EINVAL, 'there is no request to answer', self%failure_, status)
    end function

    ! Has the client taken the request back, or given up? Unless there are workers, what view showed of the request is
    ! gone after it, as the channel is looked through; its arrays and values are not.
    logical function server_is_cancelled(self, stat, errmsg) result(is_cancelled)
        class(weir_server), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        is_cancelled = .false.
        status = check_request(self)
        if (status == WEIR_OK .and. .not. self%is_shared_ .and. .not. c_associated(self%copy_)) then
            status = weir_raw_message_copy(self%message_, self%copy_)
            if (status == WEIR_OK) then
                self%message_ = self%copy_
            else
                call settle_text(WEIR_ENOMEM, 'out of memory for a request', self%failure_, status)
            end if
        end if
        if (status == WEIR_OK) is_cancelled = weir_raw_server_is_cancelled(self%handle_, self%message_) /= 0
        call settle(status, self%failure_, stat, errmsg)
    end function

    ! Answer with a value whose document is built. @status: of the building.
    subroutine answer(self, status, data, meta, stat, errmsg)
        class(weir_server), intent(inout) :: self
        integer(c_int), intent(in) :: status
        type(c_ptr), intent(in) :: data
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: metadata
        integer(c_int) :: outcome
        outcome = status
        if (outcome == WEIR_OK) outcome = build_map(self%meta_doc_, meta, value=metadata, raw=self%failure_)
        if (outcome == WEIR_OK) then
            outcome = weir_raw_server_reply(self%handle_, self%message_, metadata, data, self%failure_)
        end if
        call settle(outcome, self%failure_, stat, errmsg)
    end subroutine

    ! Answer with data given as JSON text; without it, with no data.
    subroutine server_reply_json(self, json, meta, stat, errmsg)
        class(weir_server), intent(inout) :: self
        character(*), intent(in), optional :: json
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: data
        integer(c_int) :: status
        data = c_null_ptr
        status = check_request(self)
        if (status == WEIR_OK .and. present(json)) status = build_json(self%data_doc_, json, data, self%failure_)
        call answer(self, status, data, meta, stat, errmsg)
    end subroutine

    subroutine reply_map(self, map, meta, stat, errmsg)
        class(weir_server), intent(inout) :: self
        class(weir_map), intent(in) :: map
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call self%reply_json(map%json(), meta, stat, errmsg)
    end subroutine

    ! Answer without data.
    subroutine reply_nothing(self)
        class(weir_server), intent(inout) :: self
        call answer(self, check_request(self), c_null_ptr)
    end subroutine

    subroutine reply_r32(self, x, meta, order, unsigned, stat, errmsg)
        real(c_float), intent(in) :: x(..)
        include 'reply.inc'
    end subroutine

    subroutine reply_r64(self, x, meta, order, unsigned, stat, errmsg)
        real(c_double), intent(in) :: x(..)
        include 'reply.inc'
    end subroutine

    subroutine reply_i8(self, x, meta, order, unsigned, stat, errmsg)
        integer(c_int8_t), intent(in) :: x(..)
        include 'reply.inc'
    end subroutine

    subroutine reply_i16(self, x, meta, order, unsigned, stat, errmsg)
        integer(c_int16_t), intent(in) :: x(..)
        include 'reply.inc'
    end subroutine

    subroutine reply_i32(self, x, meta, order, unsigned, stat, errmsg)
        integer(c_int32_t), intent(in) :: x(..)
        include 'reply.inc'
    end subroutine

    subroutine reply_i64(self, x, meta, order, unsigned, stat, errmsg)
        integer(c_int64_t), intent(in) :: x(..)
        include 'reply.inc'
    end subroutine

    ! Answer with an error: the client gets the sentence, and the number as sys_errno.
    subroutine server_fail(self, sentence, code, stat, errmsg)
        class(weir_server), intent(inout) :: self
        character(*), intent(in) :: sentence
        integer, intent(in), optional :: code
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status, number
        number = 0
        if (present(code)) number = int(code, c_int)
        status = check_request(self)
        if (status == WEIR_OK) then
            status = weir_raw_server_fail(self%handle_, self%message_, number, c_text(trim(sentence)), self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine
end module weir_calls
