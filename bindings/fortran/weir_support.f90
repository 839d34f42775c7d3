! What the modules of the binding share: errors, texts between Fortran and C, times, and maps.
!
! Components that end in an underscore are the binding's own.
module weir_support
    use, intrinsic :: iso_c_binding
    use, intrinsic :: ieee_arithmetic, only: ieee_is_nan
    use, intrinsic :: iso_fortran_env, only: int32, int64, real32, real64
    use weir_constants
    use weir_raw
    implicit none
    private
    public :: weir_error, weir_map, text_of, c_text, c_string, settle, settle_text, error_of, nanoseconds, &
        order_code, quoted, build_map, build_json, value_json, make_docs, check_open, check_order, flag, op_of, &
        settle_next

    ! What went wrong last on an end or a message: %code is one of WEIR_E..., %text the library's sentence.
    type :: weir_error
        integer :: code = 0
        integer :: sys_errno = 0
        integer(int64) :: offset = 0
        character(:), allocatable :: text
    contains
        procedure :: name => error_name
    end type weir_error

    ! Named values: metadata of a message, or its data.
    !     call meta%put('unit', 'V');  call meta%put('rate', 1000d0);  call meta%put('gain', gains)
    ! It is kept as JSON text, so it can be copied freely; arrays keep their type and shape.
    type :: weir_map
        character(:), allocatable :: text_
    contains
        procedure, private :: put_text, put_logical, put_i32, put_i64, put_r32, put_r64, put_map
        procedure, private :: array_i8, array_i16, array_i32, array_i64, array_r32, array_r64
        generic :: put => put_text, put_logical, put_i32, put_i64, put_r32, put_r64, put_map
        generic :: put_array => array_i8, array_i16, array_i32, array_i64, array_r32, array_r64
        procedure :: put_json => map_put_json
        procedure :: json => map_json
        procedure :: clear => map_clear
    end type weir_map

contains

    ! ---- texts ----

    pure function c_text(text) result(ended)
        character(*), intent(in) :: text
        character(:), allocatable :: ended
        ended = text//c_null_char
    end function

    ! The bytes of a view.
    function text_of(view) result(text)
        type(weir_raw_view), intent(in) :: view
        character(:), allocatable :: text
        character(kind=c_char), pointer :: bytes(:)
        integer(c_size_t) :: i
        allocate (character(view%size) :: text)
        if (view%size == 0) return
        call c_f_pointer(view%data, bytes, [view%size])
        do i = 1, view%size
            text(i:i) = bytes(i)
        end do
    end function

    ! A text of C that ends with a NUL.
    function c_string(pointer) result(text)
        type(c_ptr), intent(in) :: pointer
        character(:), allocatable :: text
        text = text_of(weir_raw_view(pointer, weir_raw_strlen(pointer)))
    end function

    function error_name(self) result(name)
        class(weir_error), intent(in) :: self
        character(:), allocatable :: name
        name = c_string(weir_raw_err_name(int(self%code, c_int)))
    end function

    ! ---- errors ----

    pure function sentence_of(raw) result(text)
        type(weir_raw_error), intent(in) :: raw
        character(:), allocatable :: text
        integer :: i
        text = ''
        do i = 1, size(raw%text)
            if (raw%text(i) == c_null_char) exit
            text = text//raw%text(i)
        end do
    end function

    ! A failure as the user sees it.
    function error_of(raw) result(error)
        type(weir_raw_error), intent(in) :: raw
        type(weir_error) :: error
        error%code = raw%code
        error%sys_errno = raw%sys_errno
        error%offset = raw%offset
        error%text = ''
        if (raw%code /= WEIR_OK) error%text = sentence_of(raw)
    end function

    ! End every procedure that can fail: give the code to the caller who asks for it, stop with the sentence otherwise.
    subroutine settle(status, raw, stat, errmsg)
        integer(c_int), intent(in) :: status
        type(weir_raw_error), intent(in) :: raw
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        if (present(stat)) stat = status
        if (status == WEIR_OK) return
        if (.not. present(stat)) error stop sentence_of(raw)
        if (present(errmsg)) errmsg = sentence_of(raw)
    end subroutine

    ! The same for a failure that this binding found itself.
    subroutine settle_text(status, text, raw, stat, errmsg)
        integer(c_int), intent(in) :: status
        character(*), intent(in) :: text
        type(weir_raw_error), intent(out) :: raw
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer :: i
        raw%code = status
        do i = 1, min(len(text), size(raw%text) - 1)
            raw%text(i) = text(i:i)
        end do
        raw%text(min(len(text), size(raw%text) - 1) + 1) = c_null_char
        call settle(status, raw, stat, errmsg)
    end subroutine

    ! ---- arguments ----

    ! Seconds to nanoseconds; without an argument, no end.
    pure function nanoseconds(seconds) result(ns)
        real(real64), intent(in), optional :: seconds
        integer(c_int64_t) :: ns
        ns = -1
        if (.not. present(seconds)) return
        if (seconds < 9d9) ns = max(0_c_int64_t, ceiling(seconds*1d9, c_int64_t))
    end function

    ! enum weir_fortran_order; -1 for an order that there is not.
    pure function order_code(order) result(code)
        character(*), intent(in), optional :: order
        integer(c_int) :: code
        code = 0
        if (.not. present(order)) return
        select case (order)
        case ('same')
            code = 0
        case ('reversed')
            code = 1
        case ('row')
            code = 2
        case default
            code = -1
        end select
    end function

    ! ---- what all ends share ----

    ! Two documents, for the data and the metadata of what is sent.
    integer(c_int) function make_docs(data_doc, meta_doc, raw) result(status)
        type(c_ptr), intent(inout) :: data_doc, meta_doc
        type(weir_raw_error), intent(inout) :: raw
        status = WEIR_OK
        if (.not. c_associated(data_doc)) status = weir_raw_doc_new(data_doc)
        if (status == WEIR_OK .and. .not. c_associated(meta_doc)) status = weir_raw_doc_new(meta_doc)
        if (status /= WEIR_OK) call settle_text(WEIR_ENOMEM, 'out of memory', raw, status)
    end function

    ! Whether an end may be used, with the sentence when it may not.
    integer(c_int) function check_open(handle, raw) result(status)
        type(c_ptr), intent(in) :: handle
        type(weir_raw_error), intent(inout) :: raw
        status = WEIR_OK
        if (c_associated(handle)) return
        call settle_text(WEIR_EINVAL, 'this end is not open: call open first', raw, status)
    end function

    integer(c_int) function check_order(order, raw) result(status)
        character(*), intent(in), optional :: order
        type(weir_raw_error), intent(inout) :: raw
        status = WEIR_OK
        if (order_code(order) >= 0) return
        call settle_text(WEIR_EINVAL, 'order is "same", "reversed" or "row", not "'//order//'"', raw, status)
    end function

    pure integer(c_int) function flag(is_set)
        logical, intent(in), optional :: is_set
        flag = 0
        if (present(is_set)) flag = merge(1, 0, is_set)
    end function

    ! The operation as C wants it; none is empty.
    function op_of(op) result(text)
        character(*), intent(in), optional :: op
        character(:), allocatable :: text
        text = c_null_char
        if (present(op)) text = c_text(trim(op))
    end function

    ! End a wait for a message: a time limit and a channel that is taken away are no failures.
    logical function settle_next(status, raw, stat, errmsg) result(is_there)
        integer(c_int), intent(in) :: status
        type(weir_raw_error), intent(in) :: raw
        integer, intent(out), optional :: stat
        character(*), intent(inout), optional :: errmsg
        integer :: ignored
        is_there = status == WEIR_OK
        if (status == WEIR_ETIMEOUT .or. status == WEIR_ECLOSED) then
            call settle(status, raw, ignored, errmsg)
            if (present(stat)) stat = ignored
        else
            call settle(status, raw, stat, errmsg)
        end if
    end function

    ! ---- documents ----

    ! A document from JSON text.
    function build_json(doc, text, value, raw) result(status)
        type(c_ptr), intent(in) :: doc
        character(*), intent(in) :: text
        type(c_ptr), intent(inout) :: value
        type(weir_raw_error), intent(inout) :: raw
        integer(c_int) :: status
        status = weir_raw_parse(doc, text, len(text, c_size_t), value, raw)
    end function

    ! A value as JSON text. @flags: of enum weir_codec_flags.
    function value_json(value, flags, text, raw) result(status)
        type(c_ptr), intent(in) :: value
        integer(c_int), intent(in) :: flags
        character(:), allocatable, intent(inout) :: text
        type(weir_raw_error), intent(inout) :: raw
        integer(c_int) :: status
        type(weir_raw_codec_options) :: options
        type(c_ptr) :: buffer
        options%flags = flags
        status = weir_raw_buffer_new(buffer)
        if (status == WEIR_OK) then
            status = weir_raw_encode(value, WEIR_CODEC_JSON, options, buffer, raw)
            if (status == WEIR_OK) text = text_of(weir_raw_buffer_view(buffer))
            buffer = weir_raw_buffer_free(buffer)
        end if
    end function

    ! meta and unit as one map in @doc; a null pointer when there is neither.
    function build_map(doc, meta, unit, value, raw) result(status)
        type(c_ptr), intent(in) :: doc
        class(weir_map), intent(in), optional :: meta
        character(*), intent(in), optional :: unit
        type(c_ptr), intent(inout) :: value
        type(weir_raw_error), intent(inout) :: raw
        integer(c_int) :: status
        type(weir_map) :: all
        value = c_null_ptr
        status = WEIR_OK
        if (.not. (present(meta) .or. present(unit))) return
        if (present(meta)) then
            if (allocated(meta%text_)) all%text_ = meta%text_
        end if
        if (present(unit)) call all%put('unit', trim(unit))
        status = build_json(doc, all%json(), value, raw)
    end function

    ! ---- maps ----

    subroutine map_clear(self)
        class(weir_map), intent(inout) :: self
        if (allocated(self%text_)) deallocate (self%text_)
    end subroutine

    function map_json(self) result(text)
        class(weir_map), intent(in) :: self
        character(:), allocatable :: text
        text = '{}'
        if (allocated(self%text_)) text = '{'//self%text_//'}'
    end function

    ! A text as JSON says it.
    pure function quoted(text) result(json)
        character(*), intent(in) :: text
        character(:), allocatable :: json
        character(6) :: escape
        integer :: i
        json = '"'
        do i = 1, len(text)
            if (text(i:i) == '"' .or. text(i:i) == achar(92)) then
                json = json//achar(92)//text(i:i)
            else if (iachar(text(i:i)) < 32) then
                write (escape, '(a, z4.4)') achar(92)//'u', iachar(text(i:i))
                json = json//escape
            else
                json = json//text(i:i)
            end if
        end do
        json = json//'"'
    end function

    ! Add a value that is JSON already.
    subroutine map_put_json(self, key, json)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key, json
        if (allocated(self%text_)) then
            self%text_ = self%text_//','//quoted(key)//':'//json
        else
            self%text_ = quoted(key)//':'//json
        end if
    end subroutine

    subroutine put_text(self, key, value)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key, value
        call self%put_json(key, quoted(value))
    end subroutine

    subroutine put_logical(self, key, value)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        logical, intent(in) :: value
        call self%put_json(key, trim(merge('true ', 'false', value)))
    end subroutine

    subroutine put_i64(self, key, value)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        integer(int64), intent(in) :: value
        character(20) :: digits
        write (digits, '(i0)') value
        call self%put_json(key, trim(digits))
    end subroutine

    subroutine put_i32(self, key, value)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        integer(int32), intent(in) :: value
        call self%put(key, int(value, int64))
    end subroutine

    ! 17 digits name every real(8) exactly. What is no number in JSON goes as the library's JSON says it.
    subroutine put_r64(self, key, value)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        real(real64), intent(in) :: value
        character(26) :: digits
        if (ieee_is_nan(value)) then
            call self%put_json(key, '{"$numberDouble":"NaN"}')
        else if (abs(value) > huge(value)) then
            call self%put_json(key, '{"$numberDouble":"'//trim(merge('-Infinity', 'Infinity ', value < 0))//'"}')
        else
            write (digits, '(es25.16e3)') value
            call self%put_json(key, trim(adjustl(digits)))
        end if
    end subroutine

    subroutine put_r32(self, key, value)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        real(real32), intent(in) :: value
        call self%put(key, real(value, real64))
    end subroutine

    subroutine put_map(self, key, value)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        class(weir_map), intent(in) :: value
        call self%put_json(key, value%json())
    end subroutine

    ! An array as the library's JSON says it, type, shape and order included.
    subroutine put_any_array(self, key, x)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        type(*), intent(in) :: x(..)
        type(weir_raw_error) :: raw
        type(c_ptr) :: doc, value
        character(:), allocatable :: json
        integer(c_int) :: status
        if (weir_raw_doc_new(doc) /= WEIR_OK) error stop 'out of memory for an array in a map'
        status = weir_raw_put_array(doc, x, 0_c_int, 0_c_int, value, raw)
        if (status == WEIR_OK) status = value_json(value, 0_c_int, json, raw)
        if (status == WEIR_OK) call self%put_json(key, json)
        doc = weir_raw_doc_free(doc)
        call settle(status, raw)
    end subroutine

    subroutine array_i8(self, key, x)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        integer(c_int8_t), intent(in) :: x(..)
        call put_any_array(self, key, x)
    end subroutine

    subroutine array_i16(self, key, x)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        integer(c_int16_t), intent(in) :: x(..)
        call put_any_array(self, key, x)
    end subroutine

    subroutine array_i32(self, key, x)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        integer(c_int32_t), intent(in) :: x(..)
        call put_any_array(self, key, x)
    end subroutine

    subroutine array_i64(self, key, x)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        integer(c_int64_t), intent(in) :: x(..)
        call put_any_array(self, key, x)
    end subroutine

    subroutine array_r32(self, key, x)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        real(c_float), intent(in) :: x(..)
        call put_any_array(self, key, x)
    end subroutine

    subroutine array_r64(self, key, x)
        class(weir_map), intent(inout) :: self
        character(*), intent(in) :: key
        real(c_double), intent(in) :: x(..)
        call put_any_array(self, key, x)
    end subroutine
end module weir_support
