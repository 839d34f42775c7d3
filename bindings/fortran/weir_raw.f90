! The C functions that the module weir stands on, as bind(c) interfaces. Programs use weir, not this module.
!
! What must stay true: each interface is the C prototype in include/weir or src/shim.h, argument by argument; the
! derived types have the layout of their C structs (src/shim.c asserts their sizes). Texts given to C end with a NUL.
module weir_raw
    use, intrinsic :: iso_c_binding, only: c_char, c_double, c_float, c_int, c_int16_t, c_int32_t, c_int64_t, &
        c_int8_t, c_ptr, c_size_t
    implicit none
    public

    ! weir_error
    type, bind(c) :: weir_raw_error
        integer(c_int) :: code = 0
        integer(c_int) :: sys_errno = 0
        integer(c_int64_t) :: offset = 0
        character(kind=c_char) :: text(488) = ' '
    end type weir_raw_error

    ! weir_view
    type, bind(c) :: weir_raw_view
        type(c_ptr) :: data
        integer(c_size_t) :: size
    end type weir_raw_view

    ! weir_codec_options
    type, bind(c) :: weir_raw_codec_options
        integer(c_int32_t) :: struct_size = 24
        integer(c_int32_t) :: flags = 0
        integer(c_int32_t) :: depth_max = 0
        integer(c_int32_t) :: values_max = 0
        integer(c_int64_t) :: bytes_max = 0
    end type weir_raw_codec_options

    ! weir_fortran_reserve, for every type of array.
    interface weir_raw_reserve
        integer(c_int) function weir_raw_reserve_r32(writer, op, meta, x, shape, rank, order, is_unsigned, err) &
            bind(c, name='weir_fortran_reserve')
            import :: c_ptr, c_int, c_char, c_int64_t, c_size_t, c_float, weir_raw_error
            type(c_ptr), value :: writer, meta
            character(kind=c_char), intent(in) :: op(*)
            real(c_float), pointer, intent(inout) :: x(..)
            integer(c_int64_t), intent(in) :: shape(*)
            integer(c_size_t), value :: rank
            integer(c_int), value :: order, is_unsigned
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_reserve_r64(writer, op, meta, x, shape, rank, order, is_unsigned, err) &
            bind(c, name='weir_fortran_reserve')
            import :: c_ptr, c_int, c_char, c_int64_t, c_size_t, c_double, weir_raw_error
            type(c_ptr), value :: writer, meta
            character(kind=c_char), intent(in) :: op(*)
            real(c_double), pointer, intent(inout) :: x(..)
            integer(c_int64_t), intent(in) :: shape(*)
            integer(c_size_t), value :: rank
            integer(c_int), value :: order, is_unsigned
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_reserve_i8(writer, op, meta, x, shape, rank, order, is_unsigned, err) &
            bind(c, name='weir_fortran_reserve')
            import :: c_ptr, c_int, c_char, c_int64_t, c_size_t, c_int8_t, weir_raw_error
            type(c_ptr), value :: writer, meta
            character(kind=c_char), intent(in) :: op(*)
            integer(c_int8_t), pointer, intent(inout) :: x(..)
            integer(c_int64_t), intent(in) :: shape(*)
            integer(c_size_t), value :: rank
            integer(c_int), value :: order, is_unsigned
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_reserve_i16(writer, op, meta, x, shape, rank, order, is_unsigned, err) &
            bind(c, name='weir_fortran_reserve')
            import :: c_ptr, c_int, c_char, c_int64_t, c_size_t, c_int16_t, weir_raw_error
            type(c_ptr), value :: writer, meta
            character(kind=c_char), intent(in) :: op(*)
            integer(c_int16_t), pointer, intent(inout) :: x(..)
            integer(c_int64_t), intent(in) :: shape(*)
            integer(c_size_t), value :: rank
            integer(c_int), value :: order, is_unsigned
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_reserve_i32(writer, op, meta, x, shape, rank, order, is_unsigned, err) &
            bind(c, name='weir_fortran_reserve')
            import :: c_ptr, c_int, c_char, c_int64_t, c_size_t, c_int32_t, weir_raw_error
            type(c_ptr), value :: writer, meta
            character(kind=c_char), intent(in) :: op(*)
            integer(c_int32_t), pointer, intent(inout) :: x(..)
            integer(c_int64_t), intent(in) :: shape(*)
            integer(c_size_t), value :: rank
            integer(c_int), value :: order, is_unsigned
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_reserve_i64(writer, op, meta, x, shape, rank, order, is_unsigned, err) &
            bind(c, name='weir_fortran_reserve')
            import :: c_ptr, c_int, c_char, c_int64_t, c_size_t, weir_raw_error
            type(c_ptr), value :: writer, meta
            character(kind=c_char), intent(in) :: op(*)
            integer(c_int64_t), pointer, intent(inout) :: x(..)
            integer(c_int64_t), intent(in) :: shape(*)
            integer(c_size_t), value :: rank
            integer(c_int), value :: order, is_unsigned
            type(weir_raw_error), intent(inout) :: err
        end function
    end interface weir_raw_reserve

    ! weir_fortran_take, for every type of array; shim.h says what it does.
    interface weir_raw_take
        integer(c_int) function weir_raw_take_r32(message, path, x, order, err) bind(c, name='weir_fortran_take')
            import :: c_ptr, c_int, c_char, c_float, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            real(c_float), allocatable, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_take_r64(message, path, x, order, err) bind(c, name='weir_fortran_take')
            import :: c_ptr, c_int, c_char, c_double, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            real(c_double), allocatable, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_take_i8(message, path, x, order, err) bind(c, name='weir_fortran_take')
            import :: c_ptr, c_int, c_char, c_int8_t, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int8_t), allocatable, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_take_i16(message, path, x, order, err) bind(c, name='weir_fortran_take')
            import :: c_ptr, c_int, c_char, c_int16_t, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int16_t), allocatable, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_take_i32(message, path, x, order, err) bind(c, name='weir_fortran_take')
            import :: c_ptr, c_int, c_char, c_int32_t, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int32_t), allocatable, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_take_i64(message, path, x, order, err) bind(c, name='weir_fortran_take')
            import :: c_ptr, c_int, c_char, c_int64_t, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int64_t), allocatable, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
    end interface

    ! weir_fortran_point, for every type of array; shim.h says what it does.
    interface weir_raw_point
        integer(c_int) function weir_raw_point_r32(message, path, x, order, err) bind(c, name='weir_fortran_point')
            import :: c_ptr, c_int, c_char, c_float, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            real(c_float), pointer, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_point_r64(message, path, x, order, err) bind(c, name='weir_fortran_point')
            import :: c_ptr, c_int, c_char, c_double, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            real(c_double), pointer, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_point_i8(message, path, x, order, err) bind(c, name='weir_fortran_point')
            import :: c_ptr, c_int, c_char, c_int8_t, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int8_t), pointer, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_point_i16(message, path, x, order, err) bind(c, name='weir_fortran_point')
            import :: c_ptr, c_int, c_char, c_int16_t, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int16_t), pointer, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_point_i32(message, path, x, order, err) bind(c, name='weir_fortran_point')
            import :: c_ptr, c_int, c_char, c_int32_t, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int32_t), pointer, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_point_i64(message, path, x, order, err) bind(c, name='weir_fortran_point')
            import :: c_ptr, c_int, c_char, c_int64_t, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int64_t), pointer, intent(inout) :: x(..)
            integer(c_int), value :: order
            type(weir_raw_error), intent(inout) :: err
        end function
    end interface

    interface
        integer(c_int) function weir_raw_writer_open(address, ret, err) bind(c, name='weir_writer_open')
            import :: c_ptr, c_int, c_char, weir_raw_error
            character(kind=c_char), intent(in) :: address(*)
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        type(c_ptr) function weir_raw_writer_close(writer) bind(c, name='weir_writer_close')
            import :: c_ptr
            type(c_ptr), value :: writer
        end function
        integer(c_int) function weir_raw_reader_open(address, ret, err) bind(c, name='weir_reader_open')
            import :: c_ptr, c_int, c_char, weir_raw_error
            character(kind=c_char), intent(in) :: address(*)
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        type(c_ptr) function weir_raw_reader_close(reader) bind(c, name='weir_reader_close')
            import :: c_ptr
            type(c_ptr), value :: reader
        end function
        integer(c_int) function weir_raw_client_open(address, ret, err) bind(c, name='weir_client_open')
            import :: c_ptr, c_int, c_char, weir_raw_error
            character(kind=c_char), intent(in) :: address(*)
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        type(c_ptr) function weir_raw_client_close(client) bind(c, name='weir_client_close')
            import :: c_ptr
            type(c_ptr), value :: client
        end function
        integer(c_int) function weir_raw_server_open(address, ret, err) bind(c, name='weir_server_open')
            import :: c_ptr, c_int, c_char, weir_raw_error
            character(kind=c_char), intent(in) :: address(*)
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        type(c_ptr) function weir_raw_server_close(server) bind(c, name='weir_server_close')
            import :: c_ptr
            type(c_ptr), value :: server
        end function
        integer(c_int) function weir_raw_reader_fd(reader, ret_fd, err) bind(c, name='weir_reader_fd')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: reader
            integer(c_int), intent(inout) :: ret_fd
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_client_fd(client, ret_fd, err) bind(c, name='weir_client_fd')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: client
            integer(c_int), intent(inout) :: ret_fd
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_server_fd(server, ret_fd, err) bind(c, name='weir_server_fd')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: server
            integer(c_int), intent(inout) :: ret_fd
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_reader_next_many(reader, timeout_ns, ret, most, count, err) &
            bind(c, name='weir_reader_next_many')
            import :: c_ptr, c_int, c_int64_t, c_size_t, weir_raw_error
            type(c_ptr), value :: reader
            integer(c_int64_t), value :: timeout_ns
            type(c_ptr), intent(out) :: ret(*)
            integer(c_size_t), value :: most
            integer(c_size_t), intent(out) :: count
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_reader_next(reader, timeout_ns, ret, err) bind(c, name='weir_reader_next')
            import :: c_ptr, c_int, c_int64_t, weir_raw_error
            type(c_ptr), value :: reader
            integer(c_int64_t), value :: timeout_ns
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_server_next(server, timeout_ns, ret, err) bind(c, name='weir_server_next')
            import :: c_ptr, c_int, c_int64_t, weir_raw_error
            type(c_ptr), value :: server
            integer(c_int64_t), value :: timeout_ns
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        type(weir_raw_view) function weir_raw_message_op(message) bind(c, name='weir_message_op')
            import :: c_ptr, weir_raw_view
            type(c_ptr), value :: message
        end function
        type(weir_raw_view) function weir_raw_message_bytes(message) bind(c, name='weir_message_bytes')
            import :: c_ptr, weir_raw_view
            type(c_ptr), value :: message
        end function
        type(weir_raw_view) function weir_raw_message_type(message) bind(c, name='weir_message_type')
            import :: c_ptr, weir_raw_view
            type(c_ptr), value :: message
        end function
        type(weir_raw_view) function weir_raw_buffer_view(buffer) bind(c, name='weir_buffer_view')
            import :: c_ptr, weir_raw_view
            type(c_ptr), value :: buffer
        end function
        pure integer(c_int64_t) function weir_raw_message_seq(message) bind(c, name='weir_message_seq')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: message
        end function
        pure integer(c_int64_t) function weir_raw_message_time(message) bind(c, name='weir_message_time')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: message
        end function
        pure integer(c_int64_t) function weir_raw_message_id(message) bind(c, name='weir_message_id')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: message
        end function
        pure integer(c_int64_t) function weir_raw_message_gap(message) bind(c, name='weir_message_gap')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: message
        end function
        pure integer(c_int64_t) function weir_raw_reader_gaps(reader) bind(c, name='weir_reader_gaps')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: reader
        end function
        pure integer(c_int64_t) function weir_raw_writer_seq(writer) bind(c, name='weir_writer_seq')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: writer
        end function
        pure integer(c_int64_t) function weir_raw_writer_dropped(writer) bind(c, name='weir_writer_dropped')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: writer
        end function
        pure integer(c_int) function weir_raw_message_codec(message) bind(c, name='weir_message_codec')
            import :: c_ptr, c_int
            type(c_ptr), value :: message
        end function
        pure integer(c_int32_t) function weir_raw_message_writer(message) bind(c, name='weir_message_writer')
            import :: c_ptr, c_int32_t
            type(c_ptr), value :: message
        end function
        integer(c_int) function weir_raw_message_meta(message, ret, err) bind(c, name='weir_message_meta')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: message
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_message_data(message, ret, err) bind(c, name='weir_message_data')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: message
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_message_json(message, out, err) bind(c, name='weir_message_json')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: message
            type(c_ptr), value :: out
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_message_copy(message, ret) bind(c, name='weir_message_copy')
            import :: c_ptr, c_int
            type(c_ptr), value :: message
            type(c_ptr), intent(inout) :: ret
        end function
        type(c_ptr) function weir_raw_message_free(message) bind(c, name='weir_message_free')
            import :: c_ptr
            type(c_ptr), value :: message
        end function
        integer(c_int) function weir_raw_latest(address, ret, err) bind(c, name='weir_latest')
            import :: c_ptr, c_int, c_char, weir_raw_error
            character(kind=c_char), intent(in) :: address(*)
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_reader_latest(reader, ret, err) bind(c, name='weir_reader_latest')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: reader
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_writer_send(writer, op, meta, data, err) bind(c, name='weir_writer_send')
            import :: c_ptr, c_int, c_char, weir_raw_error
            type(c_ptr), value :: writer, meta, data
            character(kind=c_char), intent(in) :: op(*)
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_send_array(writer, op, meta, x, order, is_unsigned, err) &
            bind(c, name='weir_fortran_send')
            import :: c_ptr, c_int, c_char, weir_raw_error
            type(c_ptr), value :: writer, meta
            character(kind=c_char), intent(in) :: op(*)
            type(*), intent(in) :: x(..)
            integer(c_int), value :: order, is_unsigned
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_send_many(writer, op, meta, x, order, is_unsigned, sent, err) &
            bind(c, name='weir_fortran_send_many')
            import :: c_ptr, c_int, c_char, c_size_t, weir_raw_error
            type(c_ptr), value :: writer, meta
            character(kind=c_char), intent(in) :: op(*)
            type(*), intent(in) :: x(..)
            integer(c_int), value :: order, is_unsigned
            integer(c_size_t), intent(out) :: sent
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_put_array(doc, x, order, is_unsigned, ret, err) &
            bind(c, name='weir_fortran_put')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: doc
            type(*), intent(in) :: x(..)
            integer(c_int), value :: order, is_unsigned
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_client_call(client, op, meta, data, timeout_ns, ret, err) &
            bind(c, name='weir_client_call')
            import :: c_ptr, c_int, c_char, c_int64_t, weir_raw_error
            type(c_ptr), value :: client, meta, data
            character(kind=c_char), intent(in) :: op(*)
            integer(c_int64_t), value :: timeout_ns
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_client_send(client, op, meta, data, err) bind(c, name='weir_client_send')
            import :: c_ptr, c_int, c_char, weir_raw_error
            type(c_ptr), value :: client, meta, data
            character(kind=c_char), intent(in) :: op(*)
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_client_receive(client, timeout_ns, ret, err) &
            bind(c, name='weir_client_receive')
            import :: c_ptr, c_int, c_int64_t, weir_raw_error
            type(c_ptr), value :: client
            integer(c_int64_t), value :: timeout_ns
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_client_receive_id(client, id, timeout_ns, ret, err) &
            bind(c, name='weir_client_receive_id')
            import :: c_ptr, c_int, c_int64_t, weir_raw_error
            type(c_ptr), value :: client
            integer(c_int64_t), value :: id, timeout_ns
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_client_cancel(client, id, err) bind(c, name='weir_client_cancel')
            import :: c_ptr, c_int, c_int64_t, weir_raw_error
            type(c_ptr), value :: client
            integer(c_int64_t), value :: id
            type(weir_raw_error), intent(inout) :: err
        end function
        pure integer(c_int64_t) function weir_raw_client_id(client) bind(c, name='weir_client_id')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: client
        end function
        pure integer(c_int32_t) function weir_raw_client_under_way(client) bind(c, name='weir_client_under_way')
            import :: c_ptr, c_int32_t
            type(c_ptr), value :: client
        end function
        integer(c_int) function weir_raw_server_worker(server, ret, err) bind(c, name='weir_server_worker')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: server
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_server_is_cancelled(server, request) &
            bind(c, name='weir_server_is_cancelled')
            import :: c_ptr, c_int
            type(c_ptr), value :: server, request
        end function
        integer(c_int) function weir_raw_wait(fds, count, ready, timeout_ns, err) bind(c, name='weir_fortran_wait')
            import :: c_int, c_int64_t, c_size_t, weir_raw_error
            integer(c_int), intent(in) :: fds(*)
            integer(c_size_t), value :: count
            integer(c_int), intent(inout) :: ready(*)
            integer(c_int64_t), value :: timeout_ns
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_server_reply(server, request, meta, data, err) &
            bind(c, name='weir_server_reply')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: server, request, meta, data
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_server_fail(server, request, code, sentence, err) &
            bind(c, name='weir_server_fail')
            import :: c_ptr, c_int, c_char, weir_raw_error
            type(c_ptr), value :: server, request
            integer(c_int), value :: code
            character(kind=c_char), intent(in) :: sentence(*)
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_wait_readers(writer, count, timeout_ns, err) &
            bind(c, name='weir_writer_wait_readers')
            import :: c_ptr, c_int, c_int32_t, c_int64_t, weir_raw_error
            type(c_ptr), value :: writer
            integer(c_int32_t), value :: count
            integer(c_int64_t), value :: timeout_ns
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_decode(doc, codec, data, size, options, ret_used, err) &
            bind(c, name='weir_decode')
            import :: c_ptr, c_int, c_char, c_size_t, weir_raw_error
            type(c_ptr), value :: doc, options, ret_used
            integer(c_int), value :: codec
            character(kind=c_char), intent(in) :: data(*)
            integer(c_size_t), value :: size
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_parse(doc, json, size, ret, err) bind(c, name='weir_fortran_parse')
            import :: c_ptr, c_int, c_char, c_size_t, weir_raw_error
            type(c_ptr), value :: doc
            character(kind=c_char), intent(in) :: json(*)
            integer(c_size_t), value :: size
            type(c_ptr), intent(inout) :: ret
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_encode(value, codec, options, out, err) bind(c, name='weir_encode')
            import :: c_ptr, c_int, weir_raw_codec_options, weir_raw_error
            type(c_ptr), value :: value, out
            integer(c_int), value :: codec
            type(weir_raw_codec_options), intent(in) :: options
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_codec_find(name, ret_codec, err) bind(c, name='weir_codec_find')
            import :: c_int, c_char, weir_raw_error
            character(kind=c_char), intent(in) :: name(*)
            integer(c_int), intent(inout) :: ret_codec
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_get(value, path, ret) bind(c, name='weir_get')
            import :: c_ptr, c_int, c_char
            type(c_ptr), value :: value
            character(kind=c_char), intent(in) :: path(*)
            type(c_ptr), intent(inout) :: ret
        end function
        integer(c_int) function weir_raw_get_bool(value, path, ret) bind(c, name='weir_get_bool')
            import :: c_ptr, c_int, c_char
            type(c_ptr), value :: value
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int), intent(inout) :: ret
        end function
        integer(c_int) function weir_raw_get_i64(value, path, ret) bind(c, name='weir_get_i64')
            import :: c_ptr, c_int, c_char, c_int64_t
            type(c_ptr), value :: value
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int64_t), intent(inout) :: ret
        end function
        integer(c_int) function weir_raw_get_f64(value, path, ret) bind(c, name='weir_get_f64')
            import :: c_ptr, c_int, c_char, c_double
            type(c_ptr), value :: value
            character(kind=c_char), intent(in) :: path(*)
            real(c_double), intent(inout) :: ret
        end function
        integer(c_int) function weir_raw_get_time(value, path, ret) bind(c, name='weir_get_time')
            import :: c_ptr, c_int, c_char, c_int64_t
            type(c_ptr), value :: value
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int64_t), intent(inout) :: ret
        end function
        integer(c_int) function weir_raw_get_text(value, path, ret) bind(c, name='weir_get_text')
            import :: c_ptr, c_int, c_char, weir_raw_view
            type(c_ptr), value :: value
            character(kind=c_char), intent(in) :: path(*)
            type(weir_raw_view), intent(inout) :: ret
        end function
        integer(c_int) function weir_raw_get_bytes(value, path, ret) bind(c, name='weir_get_bytes')
            import :: c_ptr, c_int, c_char, weir_raw_view
            type(c_ptr), value :: value
            character(kind=c_char), intent(in) :: path(*)
            type(weir_raw_view), intent(inout) :: ret
        end function
        integer(c_int) function weir_raw_directory_list(doc, err) bind(c, name='weir_directory_list')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: doc
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_channel_info(address, doc, err) bind(c, name='weir_channel_info')
            import :: c_ptr, c_char, c_int, weir_raw_error
            character(kind=c_char), intent(in) :: address(*)
            type(c_ptr), value :: doc
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_channel_remove(address, doc, dry_run, err) bind(c, name='weir_channel_remove')
            import :: c_ptr, c_char, c_int, weir_raw_error
            character(kind=c_char), intent(in) :: address(*)
            type(c_ptr), value :: doc
            integer(c_int), value :: dry_run
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_directory_clean(doc, dry_run, err) bind(c, name='weir_directory_clean')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: doc
            integer(c_int), value :: dry_run
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_doc_new(ret) bind(c, name='weir_doc_new')
            import :: c_ptr, c_int
            type(c_ptr), intent(inout) :: ret
        end function
        integer(c_int) function weir_raw_buffer_new(ret) bind(c, name='weir_buffer_new')
            import :: c_ptr, c_int
            type(c_ptr), intent(inout) :: ret
        end function
        type(c_ptr) function weir_raw_doc_free(doc) bind(c, name='weir_doc_free')
            import :: c_ptr
            type(c_ptr), value :: doc
        end function
        type(c_ptr) function weir_raw_buffer_free(buffer) bind(c, name='weir_buffer_free')
            import :: c_ptr
            type(c_ptr), value :: buffer
        end function
        type(c_ptr) function weir_raw_doc_root(doc) bind(c, name='weir_doc_root')
            import :: c_ptr
            type(c_ptr), value :: doc
        end function
        integer(c_int) function weir_raw_send_struct(writer, op, meta, type, data, err) &
            bind(c, name='weir_fortran_send_struct')
            import :: c_ptr, c_int, c_char, weir_raw_error
            type(c_ptr), value :: writer, meta, data
            character(kind=c_char), intent(in) :: op(*), type(*)
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_struct(message, type, data, err) bind(c, name='weir_fortran_struct')
            import :: c_ptr, c_int, c_char, weir_raw_error
            type(c_ptr), value :: message
            character(kind=c_char), intent(in) :: type(*)
            type(c_ptr), intent(inout) :: data
            type(weir_raw_error), intent(inout) :: err
        end function
        integer(c_int) function weir_raw_commit(writer, err) bind(c, name='weir_writer_commit')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: writer
            type(weir_raw_error), intent(inout) :: err
        end function
        subroutine weir_raw_discard(writer) bind(c, name='weir_writer_discard')
            import :: c_ptr
            type(c_ptr), value :: writer
        end subroutine
        subroutine weir_raw_set_timeout(writer, timeout_ns) bind(c, name='weir_writer_set_timeout')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: writer
            integer(c_int64_t), value :: timeout_ns
        end subroutine
        integer(c_int64_t) function weir_raw_writer_timeout(writer) bind(c, name='weir_writer_timeout')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: writer
        end function
        subroutine weir_raw_set_time(writer, time_ns) bind(c, name='weir_writer_set_time')
            import :: c_ptr, c_int64_t
            type(c_ptr), value :: writer
            integer(c_int64_t), value :: time_ns
        end subroutine
        subroutine weir_raw_cork(writer) bind(c, name='weir_writer_cork')
            import :: c_ptr
            type(c_ptr), value :: writer
        end subroutine
        integer(c_int) function weir_raw_uncork(writer, err) bind(c, name='weir_writer_uncork')
            import :: c_ptr, c_int, weir_raw_error
            type(c_ptr), value :: writer
            type(weir_raw_error), intent(inout) :: err
        end function
        subroutine weir_raw_reader_release(reader) bind(c, name='weir_reader_release')
            import :: c_ptr
            type(c_ptr), value :: reader
        end subroutine
        type(c_ptr) function weir_raw_value_type(value, text, size) bind(c, name='weir_value_type')
            import :: c_ptr, c_char, c_size_t
            type(c_ptr), value :: value
            character(kind=c_char), intent(inout) :: text(*)
            integer(c_size_t), value :: size
        end function
        type(c_ptr) function weir_raw_err_text(code) bind(c, name='weir_err_text')
            import :: c_ptr, c_int
            integer(c_int), value :: code
        end function
        type(c_ptr) function weir_raw_err_name(code) bind(c, name='weir_err_name')
            import :: c_ptr, c_int
            integer(c_int), value :: code
        end function
        type(c_ptr) function weir_raw_codec_name(codec) bind(c, name='weir_codec_name')
            import :: c_ptr, c_int
            integer(c_int), value :: codec
        end function
        integer(c_int64_t) function weir_raw_now() bind(c, name='weir_fortran_now')
            import :: c_int64_t
        end function
        type(c_ptr) function weir_raw_version() bind(c, name='weir_version')
            import :: c_ptr
        end function
        integer(c_size_t) function weir_raw_strlen(text) bind(c, name='strlen')
            import :: c_ptr, c_size_t
            type(c_ptr), value :: text
        end function
    end interface
end module weir_raw
