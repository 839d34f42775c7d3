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
        ! call c%send(op, x [, meta, order, unsigned, stat, errmsg]), then c%receive until it is .true.: a call in two
        ! halves, for programs that wait for other things as well
        generic :: send => send_r32, send_r64, send_i8, send_i16, send_i32, send_i64, send_map
        procedure :: send_json => client_send_json
        procedure :: receive => client_receive
        procedure :: fd => client_fd
        procedure, private :: client_assign
        generic :: assignment(=) => client_assign
        final :: client_final
    end type weir_client

    type, extends(weir_content) :: weir_server
        type(c_ptr) :: handle_ = c_null_ptr
        type(c_ptr) :: meta_doc_ = c_null_ptr
        type(c_ptr) :: data_doc_ = c_null_ptr
    contains
        procedure :: open => server_open
        procedure :: close => server_close
        procedure :: is_open => server_is_open
        procedure :: next => server_next
        procedure, private :: reply_r32, reply_r64, reply_i8, reply_i16, reply_i32, reply_i64
        procedure, private :: reply_map, reply_nothing
        ! call s%reply(x [, meta, order, stat, errmsg]): answer the request received last, once
        generic :: reply => reply_r32, reply_r64, reply_i8, reply_i16, reply_i32, reply_i64, reply_map, reply_nothing
        procedure :: reply_json => server_reply_json
        procedure :: fail => server_fail
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

    ! ---- a call in two halves ----

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

    ! Wait for the reply to what was sent last; .false. when it has not come in time: then receive again.
    logical function client_receive(self, timeout, stat, errmsg) result(is_there)
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

    subroutine server_close(self)
        class(weir_server), intent(inout) :: self
        self%message_ = c_null_ptr
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
        self%message_ = c_null_ptr
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
