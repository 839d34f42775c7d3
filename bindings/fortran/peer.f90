! The Fortran peer of the interoperability tests; tests/interop/README.md says what its five verbs do and print.
program peer
    use, intrinsic :: iso_fortran_env, only: error_unit, int32, int64, int8, output_unit, real64
    use weir
    implicit none
    real(real64), parameter :: wait = 20
    character(:), allocatable :: verb, address

    verb = argument(1)
    address = argument(2)
    select case (verb)
    case ('write')
        call write_series(number(3))
    case ('read')
        call read_series(number(3))
    case ('latest')
        call print_latest()
    case ('call')
        call call_once(argument(3), argument(4))
    case ('serve')
        call serve(argument(3), number(4))
    case default
        write (error_unit, '(a)') 'usage: peer write|read|latest|call|serve ADDR ...'
        stop 2
    end select

contains

    function argument(position) result(text)
        integer, intent(in) :: position
        character(:), allocatable :: text
        integer :: length
        call get_command_argument(position, length=length)
        allocate (character(length) :: text)
        call get_command_argument(position, text)
    end function

    integer function number(position)
        integer, intent(in) :: position
        character(:), allocatable :: text
        text = argument(position)
        read (text, *) number
    end function

    subroutine say(line)
        character(*), intent(in) :: line
        write (output_unit, '(a)') line
        flush (output_unit)
    end subroutine

    function decimal(value) result(text)
        integer(int64), intent(in) :: value
        character(:), allocatable :: text
        character(20) :: buffer
        write (buffer, '(i0)') value
        text = trim(buffer)
    end function

    ! Leave with the name and the sentence of a failure.
    subroutine check(error)
        type(weir_error), intent(in) :: error
        if (error%code == WEIR_OK) return
        write (error_unit, '(a)') error%name()//': '//error%text
        stop 2
    end subroutine

    ! ---- writing ----

    subroutine write_series(count)
        integer, intent(in) :: count
        type(weir_writer) :: w
        integer :: i, stat
        call w%open(address, stat)
        if (stat /= WEIR_OK) call check(w%error())
        call w%set_timeout(wait)
        call say('ready')
        do i = 0, count - 1
            call send_row(w, i)
        end do
    end subroutine

    subroutine send_row(w, i)
        type(weir_writer), intent(inout) :: w
        integer, intent(in) :: i
        type(weir_map) :: meta
        integer :: stat
        call meta%put('i', i)
        call meta%put('unit', 'V')
        select case (mod(i, 9))
        case (0)
            call w%send(row_map(i), op='map', meta=meta, stat=stat)
        case (1)
            call w%send('tick'//achar(9)//decimal(int(i, int64))//' "quoted" '//achar(92)//' back', op='text', &
                meta=meta, stat=stat)
        case (2)
            call w%send(row_matrix(i, 2, 3, 0.25d0), op='matrix', meta=meta, order='row', stat=stat)
        case (3)
            call w%send(row_vector(i), op='vector', meta=meta, stat=stat)
        case (4)
            call w%send(row_matrix(i, 3, 2, -0.25d0), op='column', meta=meta, stat=stat)
        case (5)
            call w%send_json('[0,-1,9007199254740993,9223372036854775807,-9223372036854775808]', op='integers', &
                meta=meta, stat=stat)
        case (6)
            call w%send_nothing('empty', stat=stat)
        case (7)
            call w%send_json('{"a":[1,[2,[3,{"b":[]}]]],"i":'//decimal(int(i, int64))//'}', op='nested', meta=meta, &
                stat=stat)
        case (8)
            call w%send(row_blob(i), op='blob', meta=meta, unsigned=.true., stat=stat)
        end select
        if (stat /= WEIR_OK) call check(w%error())
    end subroutine

    type(weir_map) function row_map(i) result(map)
        integer, intent(in) :: i
        call map%put('half', i + 0.5d0)
        call map%put('i', i)
        call map%put('name', 'zwölf €𝄞')
        call map%put_json('none', 'null')
        call map%put('on', mod(i, 2) == 0)
    end function

    function row_matrix(i, rows, columns, step) result(x)
        integer, intent(in) :: i, rows, columns
        real(real64), intent(in) :: step
        real(real64) :: x(rows, columns)
        integer :: r, c
        do c = 1, columns
            do r = 1, rows
                x(r, c) = i + (r - 1) + (c - 1)*step
            end do
        end do
    end function

    function row_vector(i) result(x)
        integer, intent(in) :: i
        integer(int32) :: x(5)
        integer :: k
        x = [(10*i - k, k=0, 4)]
    end function

    ! Bytes above 127 are negative here; sent with unsigned=.true. they are what they were.
    function row_blob(i) result(x)
        integer, intent(in) :: i
        integer(int8) :: x(100000)
        integer :: k, byte
        do k = 0, size(x) - 1
            byte = mod(i + 7*k, 251)
            x(k + 1) = int(merge(byte - 256, byte, byte > 127), int8)
        end do
    end function

    ! ---- reading ----

    subroutine read_series(count)
        integer, intent(in) :: count
        type(weir_reader) :: r
        integer :: i, stat
        call r%open(address, stat)
        if (stat /= WEIR_OK) call check(r%error())
        call say('ready')
        do i = 1, count
            if (.not. r%next_any(wait, stat)) call check(r%error())
            call say(line_of(r))
        end do
    end subroutine

    subroutine print_latest()
        type(weir_message) :: m
        integer :: stat
        call weir_get(address, m, stat=stat)
        if (stat == WEIR_ENOENT) stop 3
        if (stat /= WEIR_OK) call check(m%error())
        call say(line_of(m))
    end subroutine

    function line_of(m) result(line)
        class(weir_content), intent(inout) :: m
        character(:), allocatable :: line
        character, parameter :: tab = achar(9)
        line = decimal(m%seq())//tab//decimal(m%gap())//tab//m%op()//tab//present_json(m%meta_json())//tab//data_text(m)
    end function

    function present_json(json) result(text)
        character(*), intent(in) :: json
        character(:), allocatable :: text
        text = json
        if (json == 'null') text = '-'
    end function

    ! The data: an array by its type, order and check, anything else as JSON.
    function data_text(m) result(text)
        class(weir_content), intent(inout) :: m
        character(:), allocatable :: text, kind
        integer :: end_of_shape
        kind = m%kind()
        end_of_shape = index(kind, ']')
        if (end_of_shape == 0) then
            text = present_json(m%data_json())
        else
            text = kind(:end_of_shape)//trim(merge(' column', ' row   ', index(kind, ':col') > 0))//' '// &
                decimal(check_sum(m, index(kind(:end_of_shape), ',') > 0))
        end if
    end function

    ! Reals and integers of every size fit a real(8) here, so one array serves them all.
    integer(int64) function check_sum(m, is_matrix) result(total)
        class(weir_content), intent(inout) :: m
        logical, intent(in) :: is_matrix
        real(real64), allocatable :: x(:), y(:, :)
        integer :: k
        if (is_matrix) then
            call m%array(y)
            x = reshape(transpose(y), [size(y)])
        else
            call m%array(x)
        end if
        total = sum([(nint(4*k*x(k), int64), k=1, size(x))])
    end function

    ! ---- calls ----

    subroutine call_once(op, json)
        character(*), intent(in) :: op, json
        type(weir_client) :: c
        type(weir_error) :: error
        integer :: stat
        call c%open(address, stat)
        if (stat /= WEIR_OK) call check(c%error())
        call say('ready')
        if (json == '') then
            call c%call_json(op, timeout=wait, stat=stat)
        else
            call c%call_json(op, json, timeout=wait, stat=stat)
        end if
        error = c%error()
        if (stat == WEIR_EREMOTE) then
            call say('error'//achar(9)//decimal(int(error%sys_errno, int64))//achar(9)//error%text)
            call c%close()
            stop 1
        end if
        if (stat /= WEIR_OK) call check(error)
        call say('ok'//achar(9)//data_text(c))
    end subroutine

    subroutine serve(op, count)
        character(*), intent(in) :: op
        integer, intent(in) :: count
        type(weir_server) :: s
        type(weir_map) :: meta
        integer :: i, stat
        call meta%put('by', 'serve')
        call s%open(address, stat)
        if (stat /= WEIR_OK) call check(s%error())
        call say('ready')
        do i = 1, count
            if (.not. s%next(wait, stat)) call check(s%error())
            if (s%op() /= op) then
                call s%fail('no operation '//s%op()//' here', 42)
            else if (s%codec() == 0) then
                call s%reply_json(meta=meta)
            else
                call s%reply_json(s%data_json(), meta)
            end if
        end do
    end subroutine
end program peer
