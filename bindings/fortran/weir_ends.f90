! The ends of channels: weir_writer and weir_reader.
!
! Every procedure that can fail takes stat= and errmsg=; without stat= a failure stops the program with the library's
! sentence. A time limit that passes while waiting for a message is no failure: next gives .false., and stat= says
! WEIR_ETIMEOUT. An end closes when its variable goes out of scope; it cannot be copied. One end is used by one thread
! at a time.
module weir_ends
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: int32, int64, real64
    use weir_constants
    use weir_content_module
    use weir_raw
    use weir_support
    implicit none
    private
    public :: weir_writer, weir_reader

    type :: weir_writer
        type(c_ptr) :: handle_ = c_null_ptr
        type(c_ptr) :: meta_doc_ = c_null_ptr
        type(c_ptr) :: data_doc_ = c_null_ptr
        type(weir_raw_error) :: failure_
    contains
        procedure :: open => writer_open
        procedure :: close => writer_close
        procedure :: is_open => writer_is_open
        procedure, private :: send_r32, send_r64, send_i8, send_i16, send_i32, send_i64
        procedure, private :: send_map, send_string
        procedure :: send_nothing
        ! call w%send(x [, op, unit, meta, order, unsigned, stat, errmsg]): any array or number, a map or a text
        generic :: send => send_r32, send_r64, send_i8, send_i16, send_i32, send_i64, send_map, send_string
        procedure, private :: many_r32, many_r64, many_i8, many_i16, many_i32, many_i64
        ! call w%send_many(x [, op, unit, meta, order, unsigned, sent, stat, errmsg]): x(..., 1), x(..., 2), ... as a message
        ! each, in one call; sent says how many went, also after a failure
        generic :: send_many => many_r32, many_r64, many_i8, many_i16, many_i32, many_i64
        procedure :: send_json => writer_send_json
        ! call w%send_struct('{t: i64, accel: f64[3]}', c_loc(x) [, op, unit, meta, stat, errmsg]): x of a bind(c) type,
        ! or an array of it, that lies as the text says
        procedure :: send_struct => writer_send_struct
        procedure, private :: reserve_r32, reserve_r64, reserve_i8, reserve_i16, reserve_i32, reserve_i64
        ! call w%reserve(p, shape [, op, unit, meta, order, unsigned, stat, errmsg]): p points into the channel itself;
        ! fill it, then commit, which sends it, or discard. No other send may stand between, and p is gone afterwards.
        generic :: reserve => reserve_r32, reserve_r64, reserve_i8, reserve_i16, reserve_i32, reserve_i64
        procedure :: commit => writer_commit
        procedure :: discard => writer_discard
        procedure :: wait_readers => writer_wait_readers
        procedure :: set_timeout => writer_set_timeout
        procedure :: timeout => writer_timeout
        procedure :: set_time => writer_set_time
        procedure :: cork => writer_cork
        procedure :: uncork => writer_uncork
        procedure :: seq => writer_seq
        procedure :: dropped => writer_dropped
        procedure :: error => writer_error
        procedure, private :: writer_assign
        generic :: assignment(=) => writer_assign
        final :: writer_final
    end type weir_writer

    type, extends(weir_content) :: weir_reader
        type(c_ptr) :: handle_ = c_null_ptr
    contains
        procedure :: open => reader_open
        procedure :: close => reader_close
        procedure :: is_open => reader_is_open
        procedure, private :: next_r32, next_r64, next_i8, next_i16, next_i32, next_i64
        procedure, private :: point_r32, point_r64, point_i8, point_i16, point_i32, point_i64
        procedure, private :: next_message
        ! r%next(x [, timeout, order, stat, errmsg]): x an allocatable array (a copy), a pointer (no copy), or a
        ! weir_message
        generic :: next => next_r32, next_r64, next_i8, next_i16, next_i32, next_i64, &
            point_r32, point_r64, point_i8, point_i16, point_i32, point_i64, next_message
        procedure :: next_any => reader_next_any
        ! n = r%next_many(messages [, timeout, stat, errmsg]): copies of what is there, in messages(:n), a weir_message each;
        ! waits for the first
        procedure :: next_many => reader_next_many
        procedure :: latest => reader_latest
        procedure :: release => reader_release
        procedure :: fd => reader_fd
        procedure :: gaps => reader_gaps
        procedure, private :: reader_assign
        generic :: assignment(=) => reader_assign
        final :: reader_final
    end type weir_reader

contains

    ! ---- weir_writer ----

    subroutine writer_open(self, address, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        character(*), intent(in) :: address
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int) :: status
        call self%close()
        status = make_docs(self%data_doc_, self%meta_doc_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_writer_open(c_text(trim(address)), handle, self%failure_)
        if (status == WEIR_OK) self%handle_ = handle
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine writer_close(self)
        class(weir_writer), intent(inout) :: self
        self%handle_ = weir_raw_writer_close(self%handle_)
        self%data_doc_ = weir_raw_doc_free(self%data_doc_)
        self%meta_doc_ = weir_raw_doc_free(self%meta_doc_)
    end subroutine

    pure logical function writer_is_open(self) result(is_open)
        class(weir_writer), intent(in) :: self
        is_open = c_associated(self%handle_)
    end function

    subroutine writer_assign(self, other)
        class(weir_writer), intent(inout) :: self
        type(weir_writer), intent(in) :: other
        if (self%is_open() .or. other%is_open()) error stop 'a weir_writer that is open cannot be copied: pass it on'
    end subroutine

    impure elemental subroutine writer_final(self)
        type(weir_writer), intent(inout) :: self
        call self%close()
    end subroutine

    ! Send a value whose document is built. @status: of the building.
    subroutine post(self, status, data, op, unit, meta, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        integer(c_int), intent(in) :: status
        type(c_ptr), intent(in) :: data
        character(*), intent(in), optional :: op, unit
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: metadata
        integer(c_int) :: outcome
        outcome = status
        if (outcome == WEIR_OK) outcome = build_map(self%meta_doc_, meta, unit, metadata, self%failure_)
        if (outcome == WEIR_OK) then
            outcome = weir_raw_writer_send(self%handle_, op_of(op), metadata, data, self%failure_)
        end if
        call settle(outcome, self%failure_, stat, errmsg)
    end subroutine

    ! Send data given as JSON text.
    subroutine writer_send_json(self, json, op, unit, meta, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        character(*), intent(in) :: json
        character(*), intent(in), optional :: op, unit
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: data
        integer(c_int) :: status
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = build_json(self%data_doc_, json, data, self%failure_)
        call post(self, status, data, op, unit, meta, stat, errmsg)
    end subroutine

    ! Send a variable as it lies. Its size is the type's.
    subroutine writer_send_struct(self, type, data, op, unit, meta, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        character(*), intent(in) :: type
        type(c_ptr), intent(in) :: data
        character(*), intent(in), optional :: op, unit
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: metadata
        integer(c_int) :: status
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = build_map(self%meta_doc_, meta, unit, metadata, self%failure_)
        if (status == WEIR_OK) then
            status = weir_raw_send_struct(self%handle_, op_of(op), metadata, c_text(type), data, self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine send_map(self, map, op, unit, meta, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        class(weir_map), intent(in) :: map
        character(*), intent(in), optional :: op, unit
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call self%send_json(map%json(), op, unit, meta, stat, errmsg)
    end subroutine

    subroutine send_string(self, text, op, unit, meta, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        character(*), intent(in) :: text
        character(*), intent(in), optional :: op, unit
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call self%send_json(quoted(text), op, unit, meta, stat, errmsg)
    end subroutine

    ! A message without data: call w%send_nothing('tick').
    subroutine send_nothing(self, op, unit, meta, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        character(*), intent(in) :: op
        character(*), intent(in), optional :: unit
        class(weir_map), intent(in), optional :: meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        call post(self, check_open(self%handle_, self%failure_), c_null_ptr, op, unit, meta, stat, errmsg)
    end subroutine

    subroutine send_r32(self, x, op, unit, meta, order, unsigned, stat, errmsg)
        real(c_float), intent(in) :: x(..)
        include 'send.inc'
    end subroutine

    subroutine send_r64(self, x, op, unit, meta, order, unsigned, stat, errmsg)
        real(c_double), intent(in) :: x(..)
        include 'send.inc'
    end subroutine

    subroutine send_i8(self, x, op, unit, meta, order, unsigned, stat, errmsg)
        integer(c_int8_t), intent(in) :: x(..)
        include 'send.inc'
    end subroutine

    subroutine send_i16(self, x, op, unit, meta, order, unsigned, stat, errmsg)
        integer(c_int16_t), intent(in) :: x(..)
        include 'send.inc'
    end subroutine

    subroutine send_i32(self, x, op, unit, meta, order, unsigned, stat, errmsg)
        integer(c_int32_t), intent(in) :: x(..)
        include 'send.inc'
    end subroutine

    subroutine send_i64(self, x, op, unit, meta, order, unsigned, stat, errmsg)
        integer(c_int64_t), intent(in) :: x(..)
        include 'send.inc'
    end subroutine

    subroutine many_r32(self, x, op, unit, meta, order, unsigned, sent, stat, errmsg)
        real(c_float), intent(in) :: x(..)
        include 'send_many.inc'
    end subroutine

    subroutine many_r64(self, x, op, unit, meta, order, unsigned, sent, stat, errmsg)
        real(c_double), intent(in) :: x(..)
        include 'send_many.inc'
    end subroutine

    subroutine many_i8(self, x, op, unit, meta, order, unsigned, sent, stat, errmsg)
        integer(c_int8_t), intent(in) :: x(..)
        include 'send_many.inc'
    end subroutine

    subroutine many_i16(self, x, op, unit, meta, order, unsigned, sent, stat, errmsg)
        integer(c_int16_t), intent(in) :: x(..)
        include 'send_many.inc'
    end subroutine

    subroutine many_i32(self, x, op, unit, meta, order, unsigned, sent, stat, errmsg)
        integer(c_int32_t), intent(in) :: x(..)
        include 'send_many.inc'
    end subroutine

    subroutine many_i64(self, x, op, unit, meta, order, unsigned, sent, stat, errmsg)
        integer(c_int64_t), intent(in) :: x(..)
        include 'send_many.inc'
    end subroutine

    subroutine reserve_r32(self, x, shape, op, unit, meta, order, unsigned, stat, errmsg)
        real(c_float), pointer, intent(inout) :: x(..)
        include 'reserve.inc'
        if (status == WEIR_OK) then
            status = weir_raw_reserve_r32(self%handle_, op_of(op), metadata, x, int(shape, c_int64_t), &
                size(shape, kind=c_size_t), order_code(order), flag(unsigned), self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine reserve_r64(self, x, shape, op, unit, meta, order, unsigned, stat, errmsg)
        real(c_double), pointer, intent(inout) :: x(..)
        include 'reserve.inc'
        if (status == WEIR_OK) then
            status = weir_raw_reserve_r64(self%handle_, op_of(op), metadata, x, int(shape, c_int64_t), &
                size(shape, kind=c_size_t), order_code(order), flag(unsigned), self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine reserve_i8(self, x, shape, op, unit, meta, order, unsigned, stat, errmsg)
        integer(c_int8_t), pointer, intent(inout) :: x(..)
        include 'reserve.inc'
        if (status == WEIR_OK) then
            status = weir_raw_reserve_i8(self%handle_, op_of(op), metadata, x, int(shape, c_int64_t), &
                size(shape, kind=c_size_t), order_code(order), flag(unsigned), self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine reserve_i16(self, x, shape, op, unit, meta, order, unsigned, stat, errmsg)
        integer(c_int16_t), pointer, intent(inout) :: x(..)
        include 'reserve.inc'
        if (status == WEIR_OK) then
            status = weir_raw_reserve_i16(self%handle_, op_of(op), metadata, x, int(shape, c_int64_t), &
                size(shape, kind=c_size_t), order_code(order), flag(unsigned), self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine reserve_i32(self, x, shape, op, unit, meta, order, unsigned, stat, errmsg)
        integer(c_int32_t), pointer, intent(inout) :: x(..)
        include 'reserve.inc'
        if (status == WEIR_OK) then
            status = weir_raw_reserve_i32(self%handle_, op_of(op), metadata, x, int(shape, c_int64_t), &
                size(shape, kind=c_size_t), order_code(order), flag(unsigned), self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine reserve_i64(self, x, shape, op, unit, meta, order, unsigned, stat, errmsg)
        integer(c_int64_t), pointer, intent(inout) :: x(..)
        include 'reserve.inc'
        if (status == WEIR_OK) then
            status = weir_raw_reserve_i64(self%handle_, op_of(op), metadata, x, int(shape, c_int64_t), &
                size(shape, kind=c_size_t), order_code(order), flag(unsigned), self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    ! Send what was reserved.
    subroutine writer_commit(self, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_commit(self%handle_, self%failure_)
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    ! Give back what was reserved; nothing is sent.
    subroutine writer_discard(self)
        class(weir_writer), intent(inout) :: self
        if (self%is_open()) call weir_raw_discard(self%handle_)
    end subroutine

    ! Wait until @count readers are there.
    subroutine writer_wait_readers(self, count, timeout, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        integer, intent(in) :: count
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) then
            status = weir_raw_wait_readers(self%handle_, int(count, c_int32_t), nanoseconds(timeout), self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    ! Seconds a send may wait for room; without an argument, without end.
    subroutine writer_set_timeout(self, timeout)
        class(weir_writer), intent(inout) :: self
        real(real64), intent(in), optional :: timeout
        if (self%is_open()) call weir_raw_set_timeout(self%handle_, nanoseconds(timeout))
    end subroutine

    ! What it is now, in seconds; huge(0d0) for no end.
    real(real64) function writer_timeout(self) result(seconds)
        class(weir_writer), intent(in) :: self
        integer(c_int64_t) :: ns
        seconds = 0
        if (.not. self%is_open()) return
        ns = weir_raw_writer_timeout(self%handle_)
        seconds = merge(huge(seconds), real(ns, real64)/1d9, ns < 0)
    end function

    ! The time of the messages from the next one on, in ns since the epoch, for what was measured before: 0 for none;
    ! without an argument the clock's again.
    subroutine writer_set_time(self, time_ns)
        class(weir_writer), intent(inout) :: self
        integer(int64), intent(in), optional :: time_ns
        integer(c_int64_t) :: ns
        ns = -huge(ns) - 1 ! WEIR_TIME_NOW
        if (present(time_ns)) ns = time_ns
        if (self%is_open()) call weir_raw_set_time(self%handle_, ns)
    end subroutine

    ! Between cork and uncork messages may be held back, so that many are published, and readers woken, at once.
    subroutine writer_cork(self)
        class(weir_writer), intent(inout) :: self
        if (self%is_open()) call weir_raw_cork(self%handle_)
    end subroutine

    subroutine writer_uncork(self, stat, errmsg)
        class(weir_writer), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_uncork(self%handle_, self%failure_)
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    ! seq of the message sent last; 0 before the first.
    pure integer(int64) function writer_seq(self) result(seq)
        class(weir_writer), intent(in) :: self
        seq = 0
        if (self%is_open()) seq = weir_raw_writer_seq(self%handle_)
    end function

    ! Messages that full=drop-newest threw away.
    pure integer(int64) function writer_dropped(self) result(dropped)
        class(weir_writer), intent(in) :: self
        dropped = 0
        if (self%is_open()) dropped = weir_raw_writer_dropped(self%handle_)
    end function

    ! What went wrong last.
    type(weir_error) function writer_error(self) result(error)
        class(weir_writer), intent(in) :: self
        error = error_of(self%failure_)
    end function

    ! ---- weir_reader ----

    subroutine reader_open(self, address, stat, errmsg)
        class(weir_reader), intent(inout) :: self
        character(*), intent(in) :: address
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: handle
        integer(c_int) :: status
        call self%close()
        status = weir_raw_reader_open(c_text(trim(address)), handle, self%failure_)
        if (status == WEIR_OK) self%handle_ = handle
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine reader_close(self)
        class(weir_reader), intent(inout) :: self
        self%message_ = c_null_ptr
        self%handle_ = weir_raw_reader_close(self%handle_)
    end subroutine

    pure logical function reader_is_open(self) result(is_open)
        class(weir_reader), intent(in) :: self
        is_open = c_associated(self%handle_)
    end function

    subroutine reader_assign(self, other)
        class(weir_reader), intent(inout) :: self
        type(weir_reader), intent(in) :: other
        if (self%is_open() .or. other%is_open()) error stop 'a weir_reader that is open cannot be copied: pass it on'
    end subroutine

    impure elemental subroutine reader_final(self)
        type(weir_reader), intent(inout) :: self
        call self%close()
    end subroutine

    ! A descriptor for poll: readable while there is something to receive.
    integer function reader_fd(self, stat, errmsg) result(fd)
        class(weir_reader), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        fd = -1
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_reader_fd(self%handle_, fd, self%failure_)
        call settle(status, self%failure_, stat, errmsg)
    end function

    integer(c_int) function receive(self, timeout) result(status)
        class(weir_reader), intent(inout) :: self
        real(real64), intent(in), optional :: timeout
        type(c_ptr) :: message
        self%message_ = c_null_ptr
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_reader_next(self%handle_, nanoseconds(timeout), message, self%failure_)
        if (status == WEIR_OK) self%message_ = message
    end function

    ! The next message, whatever is in it: ask r about it, r%op(), r%array(x), ...
    logical function reader_next_any(self, timeout, stat, errmsg) result(is_there)
        class(weir_reader), intent(inout) :: self
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        is_there = settle_next(receive(self, timeout), self%failure_, stat, errmsg)
    end function

    integer function reader_next_many(self, messages, timeout, stat, errmsg) result(count)
        class(weir_reader), intent(inout) :: self
        type(weir_message), intent(inout) :: messages(:)
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: found(WEIR_MANY_MAX)
        integer(c_size_t) :: some
        integer(c_int) :: status
        integer :: i
        count = 0
        self%message_ = c_null_ptr
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_reader_next_many(self%handle_, nanoseconds(timeout), found, &
            size(messages, kind=c_size_t), some, self%failure_)
        if (settle_next(status, self%failure_, stat, errmsg)) count = int(some)
        do i = 1, count
            self%message_ = found(i)
            messages(i) = self
        end do
        self%message_ = c_null_ptr
        if (count > 0) call weir_raw_reader_release(self%handle_)
    end function

    logical function next_message(self, message, timeout, stat, errmsg) result(is_there)
        class(weir_reader), intent(inout) :: self
        type(weir_message), intent(inout) :: message
        real(real64), intent(in), optional :: timeout
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        is_there = self%next_any(timeout, stat, errmsg)
        if (is_there) message = self
    end function

    logical function next_r32(self, x, timeout, order, stat, errmsg) result(is_there)
        real(c_float), allocatable, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%array_r32(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function next_r64(self, x, timeout, order, stat, errmsg) result(is_there)
        real(c_double), allocatable, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%array_r64(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function next_i8(self, x, timeout, order, stat, errmsg) result(is_there)
        integer(c_int8_t), allocatable, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%array_i8(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function next_i16(self, x, timeout, order, stat, errmsg) result(is_there)
        integer(c_int16_t), allocatable, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%array_i16(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function next_i32(self, x, timeout, order, stat, errmsg) result(is_there)
        integer(c_int32_t), allocatable, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%array_i32(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function next_i64(self, x, timeout, order, stat, errmsg) result(is_there)
        integer(c_int64_t), allocatable, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%array_i64(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function point_r32(self, x, timeout, order, stat, errmsg) result(is_there)
        real(c_float), pointer, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%view_r32(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function point_r64(self, x, timeout, order, stat, errmsg) result(is_there)
        real(c_double), pointer, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%view_r64(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function point_i8(self, x, timeout, order, stat, errmsg) result(is_there)
        integer(c_int8_t), pointer, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%view_i8(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function point_i16(self, x, timeout, order, stat, errmsg) result(is_there)
        integer(c_int16_t), pointer, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%view_i16(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function point_i32(self, x, timeout, order, stat, errmsg) result(is_there)
        integer(c_int32_t), pointer, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%view_i32(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    logical function point_i64(self, x, timeout, order, stat, errmsg) result(is_there)
        integer(c_int64_t), pointer, intent(inout) :: x(..)
        include 'next.inc'
        if (status == WEIR_OK) call self%view_i64(x, '', order, status)
        is_there = settle_next(status, self%failure_, stat, errmsg)
    end function

    ! Skip to the newest message; .false. when there is none.
    logical function reader_latest(self, stat, errmsg) result(is_there)
        class(weir_reader), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: message
        integer(c_int) :: status
        self%message_ = c_null_ptr
        status = check_open(self%handle_, self%failure_)
        if (status == WEIR_OK) status = weir_raw_reader_latest(self%handle_, message, self%failure_)
        is_there = status == WEIR_OK
        if (is_there) self%message_ = message
        if (present(stat)) stat = status
        if (status /= WEIR_ENOENT) call settle(status, self%failure_, stat, errmsg)
    end function

    ! Give the message back before the next call, so that the writer may use its room.
    subroutine reader_release(self)
        class(weir_reader), intent(inout) :: self
        self%message_ = c_null_ptr
        if (self%is_open()) call weir_raw_reader_release(self%handle_)
    end subroutine

    ! Messages this reader has missed in all.
    pure integer(int64) function reader_gaps(self) result(gaps)
        class(weir_reader), intent(in) :: self
        gaps = 0
        if (self%is_open()) gaps = weir_raw_reader_gaps(self%handle_)
    end function
end module weir_ends
