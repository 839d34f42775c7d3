! What ends and messages have in common: asking about a message and reading what is in it.
!
! weir_content is the base of weir_message, weir_reader, weir_client and weir_server: a message speaks of itself, a
! reader of the message it received last, a client of the last reply, a server of the last request. What must stay true:
! message_ is null or a message that is valid now; every call that makes the library take it back sets it anew first.
!
! A pointer got with view shows the library's memory: from a reader, client or server until its next call, from a
! weir_message until that is assigned to or goes out of scope.
module weir_content_module
    use, intrinsic :: iso_c_binding
    use, intrinsic :: ieee_arithmetic, only: ieee_is_nan
    use, intrinsic :: iso_fortran_env, only: int32, int64, real32, real64
    use weir_constants
    use weir_raw
    use weir_support
    implicit none
    private
    public :: weir_content, weir_message, weir_get, adopt

    type, abstract :: weir_content
        type(c_ptr) :: message_ = c_null_ptr
        type(weir_raw_error) :: failure_
    contains
        procedure :: has_message => content_has_message
        procedure :: op => content_op
        procedure :: seq => content_seq
        procedure :: time_ns => content_time_ns
        procedure :: time => content_time
        procedure :: age => content_age
        procedure :: id => content_id
        procedure :: gap => content_gap
        procedure :: writer => content_writer
        procedure :: codec => content_codec
        procedure :: type => content_type
        procedure :: kind => content_kind
        procedure :: json => content_json
        procedure :: data_json => content_data_json
        procedure :: meta_json => content_meta_json
        procedure :: has => content_has
        procedure :: struct => content_struct
        procedure :: error => content_error
        procedure, private :: get_logical, get_i32, get_i64, get_r32, get_r64, get_text
        procedure, private :: meta_logical, meta_i32, meta_i64, meta_r32, meta_r64, meta_text
        ! call m%get('accel.x', value [, stat, errmsg]); '' is the data itself
        generic :: get => get_logical, get_i32, get_i64, get_r32, get_r64, get_text
        ! call m%get_meta('unit', value [, stat, errmsg])
        generic :: get_meta => meta_logical, meta_i32, meta_i64, meta_r32, meta_r64, meta_text
        procedure :: array_r32, array_r64, array_i8, array_i16, array_i32, array_i64
        procedure :: view_r32, view_r64, view_i8, view_i16, view_i32, view_i64
        ! call m%array(x [, path, order, stat, errmsg]): x allocatable, of any rank, a copy
        generic :: array => array_r32, array_r64, array_i8, array_i16, array_i32, array_i64
        ! call m%view(p [, path, order, stat, errmsg]): p pointer, of any rank, no copy
        generic :: view => view_r32, view_r64, view_i8, view_i16, view_i32, view_i64
    end type weir_content

    ! A message of its own, which lives as long as the variable; it may be assigned, which copies it.
    type, extends(weir_content) :: weir_message
    contains
        procedure, private :: message_assign
        generic :: assignment(=) => message_assign
        final :: message_final
    end type weir_message

    ! call weir_get(address, m [, max_age, stat, errmsg]): the latest message of a channel, without a reader
    interface weir_get
        module procedure latest_message
    end interface weir_get

contains

    ! ---- about the message ----

    pure logical function content_has_message(self) result(is_there)
        class(weir_content), intent(in) :: self
        is_there = c_associated(self%message_)
    end function

    ! What this is or asks for.
    function content_op(self) result(op)
        class(weir_content), intent(in) :: self
        character(:), allocatable :: op
        op = ''
        if (self%has_message()) op = text_of(weir_raw_message_op(self%message_))
    end function

    ! The writer's count of its messages, from 1; 0 without a message.
    pure integer(int64) function content_seq(self) result(seq)
        class(weir_content), intent(in) :: self
        seq = 0
        if (self%has_message()) seq = weir_raw_message_seq(self%message_)
    end function

    ! When it was sent, ns since the epoch; 0 when it was not stamped.
    pure integer(int64) function content_time_ns(self) result(ns)
        class(weir_content), intent(in) :: self
        ns = 0
        if (self%has_message()) ns = weir_raw_message_time(self%message_)
    end function

    ! The same in seconds.
    pure real(real64) function content_time(self) result(seconds)
        class(weir_content), intent(in) :: self
        seconds = real(self%time_ns(), real64)*1d-9
    end function

    ! Seconds since it was sent; -1 when it was not stamped.
    real(real64) function content_age(self) result(seconds)
        class(weir_content), intent(in) :: self
        seconds = -1
        if (self%time_ns() /= 0) seconds = real(weir_raw_now() - self%time_ns(), real64)*1d-9
    end function

    ! The call it belongs to; 0 outside calls.
    pure integer(int64) function content_id(self) result(id)
        class(weir_content), intent(in) :: self
        id = 0
        if (self%has_message()) id = weir_raw_message_id(self%message_)
    end function

    ! Messages of its writer that were missed just before it.
    pure integer(int64) function content_gap(self) result(gap)
        class(weir_content), intent(in) :: self
        gap = 0
        if (self%has_message()) gap = weir_raw_message_gap(self%message_)
    end function

    ! Which of the channel's writers sent it.
    pure integer function content_writer(self) result(number)
        class(weir_content), intent(in) :: self
        number = 0
        if (self%has_message()) number = weir_raw_message_writer(self%message_)
    end function

    ! One of WEIR_CODEC_...; 0 without data.
    pure integer function content_codec(self) result(codec)
        class(weir_content), intent(in) :: self
        codec = 0
        if (self%has_message()) codec = weir_raw_message_codec(self%message_)
    end function

    ! The type of raw data, 'f64[4,256]'; '' for other codecs.
    function content_type(self) result(type)
        class(weir_content), intent(in) :: self
        character(:), allocatable :: type
        type = ''
        if (self%has_message()) type = text_of(weir_raw_message_type(self%message_))
    end function

    ! The type of the data, or of what is at @path in it, as errors name it: 'map', 'f64[4,256]'; '' for nothing.
    function content_kind(self, path) result(kind)
        class(weir_content), intent(inout) :: self
        character(*), intent(in), optional :: path
        character(:), allocatable :: kind
        character(kind=c_char), target :: text(400)
        type(c_ptr) :: value
        kind = ''
        if (find(self, .false., path, value) /= WEIR_OK) return
        kind = c_string(weir_raw_value_type(value, text, size(text, kind=c_size_t)))
    end function

    ! What went wrong last.
    type(weir_error) function content_error(self) result(error)
        class(weir_content), intent(in) :: self
        error = error_of(self%failure_)
    end function

    ! ---- as JSON ----

    ! The whole message as one line, {"v":1,"seq":...,"op":...,"meta":...,"data":...}.
    function content_json(self, stat, errmsg) result(text)
        class(weir_content), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(:), allocatable :: text
        type(c_ptr) :: buffer
        integer(c_int) :: status
        text = ''
        status = weir_raw_buffer_new(buffer)
        if (status == WEIR_OK .and. self%has_message()) then
            status = weir_raw_message_json(self%message_, buffer, self%failure_)
            if (status == WEIR_OK) text = text_of(weir_raw_buffer_view(buffer))
        end if
        buffer = weir_raw_buffer_free(buffer)
        call settle(status, self%failure_, stat, errmsg)
    end function

    ! Where raw data lies, when its writer sends just this type: call c_f_pointer(m%struct('{t: i64, x: f32[3]}'), p), p
    ! a pointer to a bind(c) type. What it shows lives as a pointer got with view does. c_null_ptr after a failure.
    type(c_ptr) function content_struct(self, type, stat, errmsg) result(data)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: type
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer(c_int) :: status
        data = c_null_ptr
        status = weir_raw_struct(self%message_, c_text(type), data, self%failure_)
        call settle(status, self%failure_, stat, errmsg)
    end function

    ! The data as canonical JSON; 'null' without data.
    function content_data_json(self, stat, errmsg) result(text)
        class(weir_content), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(:), allocatable :: text
        text = part_json(self, .false., stat, errmsg)
    end function

    ! The metadata as canonical JSON; 'null' without.
    function content_meta_json(self, stat, errmsg) result(text)
        class(weir_content), intent(inout) :: self
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(:), allocatable :: text
        text = part_json(self, .true., stat, errmsg)
    end function

    function part_json(self, is_meta, stat, errmsg) result(text)
        class(weir_content), intent(inout) :: self
        logical, intent(in) :: is_meta
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(:), allocatable :: text
        type(c_ptr) :: value
        integer(c_int) :: status
        text = 'null'
        status = root_of(self, is_meta, value)
        if (status == WEIR_OK .and. c_associated(value)) then
            status = value_json(value, WEIR_CANONICAL, text, self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end function

    ! ---- single values ----

    ! The data or the metadata; null when there is none.
    integer(c_int) function root_of(self, is_meta, value) result(status)
        class(weir_content), intent(inout) :: self
        logical, intent(in) :: is_meta
        type(c_ptr), intent(out) :: value
        value = c_null_ptr
        status = WEIR_OK
        if (.not. self%has_message()) return
        if (is_meta) then
            status = weir_raw_message_meta(self%message_, value, self%failure_)
        else
            status = weir_raw_message_data(self%message_, value, self%failure_)
        end if
    end function

    integer(c_int) function find(self, is_meta, path, value) result(status)
        class(weir_content), intent(inout) :: self
        logical, intent(in) :: is_meta
        character(*), intent(in), optional :: path
        type(c_ptr), intent(out) :: value
        type(c_ptr) :: root
        value = c_null_ptr
        status = root_of(self, is_meta, root)
        if (status /= WEIR_OK) return
        if (.not. c_associated(root)) then
            status = WEIR_ENOENT
        else if (present(path)) then
            status = weir_raw_get(root, c_text(path), value)
        else
            value = root
        end if
    end function

    ! Whether there is a value at @path of the data.
    logical function content_has(self, path) result(is_there)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        type(c_ptr) :: value
        is_there = find(self, .false., path, value) == WEIR_OK
    end function

    ! End a get: the sentence for a value that is not there or of another type.
    subroutine settle_get(self, status, is_meta, path, wanted, stat, errmsg)
        class(weir_content), intent(inout) :: self
        integer(c_int), intent(in) :: status
        logical, intent(in) :: is_meta
        character(*), intent(in) :: path, wanted
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        character(:), allocatable :: place
        place = trim(merge('metadata', 'data    ', is_meta))
        select case (status)
        case (WEIR_ENOENT)
            call settle_text(status, 'the '//place//' of this message has no value at "'//path//'"', self%failure_, &
                stat, errmsg)
        case (WEIR_ETYPE)
            call settle_text(status, 'the value at "'//path//'" of the '//place//' is no '//wanted// &
                ', or does not fit one', self%failure_, stat, errmsg)
        case default
            call settle(status, self%failure_, stat, errmsg)
        end select
    end subroutine

    subroutine get_logical(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        logical, intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        integer(c_int) :: got
        integer(c_int) :: status
        status = find(self, .false., path, place)
        if (status == WEIR_OK) status = weir_raw_get_bool(place, c_null_char, got)
        if (status == WEIR_OK) value = got /= 0
        call settle_get(self, status, .false., path, 'logical', stat, errmsg)
    end subroutine

    subroutine get_i64(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        integer(int64), intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        integer(c_int64_t) :: got
        integer(c_int) :: status
        status = find(self, .false., path, place)
        if (status == WEIR_OK) status = weir_raw_get_i64(place, c_null_char, got)
        if (status == WEIR_OK) value = got
        call settle_get(self, status, .false., path, 'integer(8)', stat, errmsg)
    end subroutine

    subroutine get_i32(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        integer(int32), intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        integer(c_int64_t) :: got
        integer(c_int) :: status
        status = find(self, .false., path, place)
        if (status == WEIR_OK) status = weir_raw_get_i64(place, c_null_char, got)
        if (status == WEIR_OK) then
            if (got > huge(value) .or. got < -huge(value) - 1_int64) status = WEIR_ETYPE
        end if
        if (status == WEIR_OK) value = int(got, int32)
        call settle_get(self, status, .false., path, 'integer(4)', stat, errmsg)
    end subroutine

    subroutine get_r64(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        real(real64), intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        real(c_double) :: got
        integer(c_int) :: status
        status = find(self, .false., path, place)
        if (status == WEIR_OK) status = weir_raw_get_f64(place, c_null_char, got)
        if (status == WEIR_OK) value = got
        call settle_get(self, status, .false., path, 'real(8)', stat, errmsg)
    end subroutine

    subroutine get_r32(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        real(real32), intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        real(c_double) :: got
        integer(c_int) :: status
        status = find(self, .false., path, place)
        if (status == WEIR_OK) status = weir_raw_get_f64(place, c_null_char, got)
        if (status == WEIR_OK) then
            if (.not. is_single(got)) status = WEIR_ETYPE
        end if
        if (status == WEIR_OK) value = real(got, real32)
        call settle_get(self, status, .false., path, 'real(4)', stat, errmsg)
    end subroutine

    subroutine get_text(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        character(:), allocatable, intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        type(weir_raw_view) :: got
        integer(c_int) :: status
        status = find(self, .false., path, place)
        if (status == WEIR_OK) status = weir_raw_get_text(place, c_null_char, got)
        if (status == WEIR_OK) value = text_of(got)
        call settle_get(self, status, .false., path, 'text', stat, errmsg)
    end subroutine

    subroutine meta_logical(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        logical, intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        integer(c_int) :: got
        integer(c_int) :: status
        status = find(self, .true., path, place)
        if (status == WEIR_OK) status = weir_raw_get_bool(place, c_null_char, got)
        if (status == WEIR_OK) value = got /= 0
        call settle_get(self, status, .true., path, 'logical', stat, errmsg)
    end subroutine

    subroutine meta_i64(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        integer(int64), intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        integer(c_int64_t) :: got
        integer(c_int) :: status
        status = find(self, .true., path, place)
        if (status == WEIR_OK) status = weir_raw_get_i64(place, c_null_char, got)
        if (status == WEIR_OK) value = got
        call settle_get(self, status, .true., path, 'integer(8)', stat, errmsg)
    end subroutine

    subroutine meta_i32(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        integer(int32), intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        integer(c_int64_t) :: got
        integer(c_int) :: status
        status = find(self, .true., path, place)
        if (status == WEIR_OK) status = weir_raw_get_i64(place, c_null_char, got)
        if (status == WEIR_OK) then
            if (got > huge(value) .or. got < -huge(value) - 1_int64) status = WEIR_ETYPE
        end if
        if (status == WEIR_OK) value = int(got, int32)
        call settle_get(self, status, .true., path, 'integer(4)', stat, errmsg)
    end subroutine

    subroutine meta_r64(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        real(real64), intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        real(c_double) :: got
        integer(c_int) :: status
        status = find(self, .true., path, place)
        if (status == WEIR_OK) status = weir_raw_get_f64(place, c_null_char, got)
        if (status == WEIR_OK) value = got
        call settle_get(self, status, .true., path, 'real(8)', stat, errmsg)
    end subroutine

    subroutine meta_r32(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        real(real32), intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        real(c_double) :: got
        integer(c_int) :: status
        status = find(self, .true., path, place)
        if (status == WEIR_OK) status = weir_raw_get_f64(place, c_null_char, got)
        if (status == WEIR_OK) then
            if (.not. is_single(got)) status = WEIR_ETYPE
        end if
        if (status == WEIR_OK) value = real(got, real32)
        call settle_get(self, status, .true., path, 'real(4)', stat, errmsg)
    end subroutine

    subroutine meta_text(self, path, value, stat, errmsg)
        class(weir_content), intent(inout) :: self
        character(*), intent(in) :: path
        character(:), allocatable, intent(inout) :: value
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: place
        type(weir_raw_view) :: got
        integer(c_int) :: status
        status = find(self, .true., path, place)
        if (status == WEIR_OK) status = weir_raw_get_text(place, c_null_char, got)
        if (status == WEIR_OK) value = text_of(got)
        call settle_get(self, status, .true., path, 'text', stat, errmsg)
    end subroutine

    ! Whether a real(8) is a real(4) as well: nothing is lost.
    pure logical function is_single(number)
        real(c_double), intent(in) :: number
        is_single = ieee_is_nan(number) .or. abs(number) > huge(number)
        if (.not. is_single .and. abs(number) <= huge(1._real32)) then
            is_single = transfer(real(real(number, real32), c_double), 1_int64) == transfer(number, 1_int64)
        end if
    end function

    ! ---- arrays: read.inc declares the other arguments and looks at them ----

    subroutine array_r32(self, x, path, order, stat, errmsg)
        real(c_float), allocatable, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_take_r32(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine array_r64(self, x, path, order, stat, errmsg)
        real(c_double), allocatable, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_take_r64(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine array_i8(self, x, path, order, stat, errmsg)
        integer(c_int8_t), allocatable, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_take_i8(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine array_i16(self, x, path, order, stat, errmsg)
        integer(c_int16_t), allocatable, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_take_i16(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine array_i32(self, x, path, order, stat, errmsg)
        integer(c_int32_t), allocatable, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_take_i32(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine array_i64(self, x, path, order, stat, errmsg)
        integer(c_int64_t), allocatable, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_take_i64(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine view_r32(self, x, path, order, stat, errmsg)
        real(c_float), pointer, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_point_r32(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine view_r64(self, x, path, order, stat, errmsg)
        real(c_double), pointer, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_point_r64(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine view_i8(self, x, path, order, stat, errmsg)
        integer(c_int8_t), pointer, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_point_i8(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine view_i16(self, x, path, order, stat, errmsg)
        integer(c_int16_t), pointer, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_point_i16(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine view_i32(self, x, path, order, stat, errmsg)
        integer(c_int32_t), pointer, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_point_i32(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    subroutine view_i64(self, x, path, order, stat, errmsg)
        integer(c_int64_t), pointer, intent(inout) :: x(..)
        include 'read.inc'
        if (status == WEIR_OK) then
            status = weir_raw_point_i64(self%message_, c_text(place), x, order_code(order), &
                self%failure_)
        end if
        call settle(status, self%failure_, stat, errmsg)
    end subroutine

    ! Look at the arguments of array and view before C does.
    integer(c_int) function check_read(self, order) result(status)
        class(weir_content), intent(inout) :: self
        character(*), intent(in), optional :: order
        status = WEIR_OK
        if (order_code(order) < 0 .or. order_code(order) > 1) then
            call settle_text(WEIR_EINVAL, 'order is "same" or "reversed" when reading, not "'//order//'"', &
                self%failure_, status)
        else if (.not. self%has_message()) then
            call settle_text(WEIR_ENOENT, 'there is no message to read from', self%failure_, status)
        end if
    end function

    ! ---- messages of their own ----

    ! Take over a message that is ours to free.
    subroutine adopt(self, message)
        class(weir_message), intent(inout) :: self
        type(c_ptr), intent(in) :: message
        type(c_ptr) :: old
        old = weir_raw_message_free(self%message_)
        self%message_ = message
    end subroutine

    subroutine message_assign(self, other)
        class(weir_message), intent(inout) :: self
        class(weir_content), intent(in) :: other
        type(c_ptr) :: copy
        copy = c_null_ptr
        if (other%has_message()) then
            if (weir_raw_message_copy(other%message_, copy) /= WEIR_OK) error stop 'out of memory for a message'
        end if
        call adopt(self, copy)
    end subroutine

    impure elemental subroutine message_final(self)
        type(weir_message), intent(inout) :: self
        call adopt(self, c_null_ptr)
    end subroutine

    ! Why a message is too old for @max_age; empty when it is not.
    function staleness(message, max_age) result(sentence)
        class(weir_message), intent(in) :: message
        real(real64), intent(in) :: max_age
        character(:), allocatable :: sentence
        real(real64) :: age
        age = message%age()
        sentence = ''
        if (message%time_ns() == 0) then
            sentence = 'its messages carry no time: max_age= needs a writer without stamp=0'
        else if (age > max_age) then
            sentence = 'the latest message is '//seconds(age)//' old, more than '//seconds(max_age)// &
                '; does its writer still run?'
        end if
    end function

    ! A number of seconds as sentences say it: 0.250 s.
    function seconds(number) result(text)
        real(real64), intent(in) :: number
        character(:), allocatable :: text
        character(24) :: digits
        write (digits, '(f24.3)') number
        text = trim(adjustl(digits))//' s'
    end function

    subroutine latest_message(address, message, max_age, stat, errmsg)
        character(*), intent(in) :: address
        class(weir_message), intent(inout) :: message
        real(real64), intent(in), optional :: max_age
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        type(c_ptr) :: latest
        integer(c_int) :: status
        character(:), allocatable :: reason
        status = weir_raw_latest(c_text(trim(address)), latest, message%failure_)
        if (status == WEIR_OK) then
            call adopt(message, latest)
            if (present(max_age)) then
                reason = staleness(message, max_age)
                if (len(reason) > 0) then
                    call settle_text(WEIR_ENOENT, trim(address)//': '//reason, message%failure_, stat, errmsg)
                    return
                end if
            end if
        end if
        call settle(status, message%failure_, stat, errmsg)
    end subroutine
end module weir_content_module
