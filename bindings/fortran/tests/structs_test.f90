! Raw structs: sent from a bind(c) variable, read in place and by path; and lists of numbers as arrays.
program structs_test
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: int16, int32, int64, real32, real64
    use tap
    use weir
    implicit none

    type, bind(c) :: reading
        integer(c_int64_t) :: t
        real(c_double) :: accel(3)
        real(c_float) :: temp
    end type reading
    character(*), parameter :: text = '{t: i64, accel: f64[3], temp: f32}'
    type(weir_writer) :: w
    type(weir_reader) :: r

    call w%open('test/structs')
    call r%open('test/structs?from=oldest')
    call in_place()
    call by_path()
    call arrays()
    call other_types()
    call lists()
    call finish()

contains

    subroutine in_place()
        type(reading), target :: x
        type(reading), pointer :: p
        x = reading(-7_c_int64_t, [1d0, 2d0, 3d0], 2.5)
        call w%send_struct(text, c_loc(x), op='reading')
        call check(r%next_any(5d0), 'a struct arrives')
        call check_text(r%type(), text, 'with its type')
        call c_f_pointer(r%struct('{t:i64, accel:f64[3], temp:f32}'), p)
        call check(p%t == -7 .and. p%accel(3) == 3 .and. p%temp == 2.5, 'and is read where it lies')
    end subroutine

    subroutine by_path()
        integer(int64) :: t
        real(real32) :: temp
        real(real64), allocatable :: accel(:)
        real(real64), pointer :: p(:)
        call r%get('t', t)
        call r%get('temp', temp)
        call r%array(accel, 'accel')
        call r%view(p, 'accel')
        call check(t == -7 .and. temp == 2.5, 'by path it is a map')
        call check(all(accel == [1, 2, 3]) .and. all(p == accel), 'with arrays, copied or where they lie')
        call check_text(r%kind(''), 'map', 'and says so')
    end subroutine

    subroutine arrays()
        type(reading), target :: x(2)
        type(reading), pointer :: p(:)
        real(real64), allocatable :: accel(:)
        x(1) = reading(1_c_int64_t, [1d0, 2d0, 3d0], 1.0)
        x(2) = reading(2_c_int64_t, [4d0, 5d0, 6d0], 2.0)
        call w%send_struct(text//'[2]', c_loc(x))
        call check(r%next_any(5d0), 'an array of structs arrives')
        call c_f_pointer(r%struct(text//'[2]'), p, [2])
        call check(p(2)%t == 2 .and. p(2)%accel(1) == 4, 'and is read where it lies')
        call r%array(accel, '1.accel')
        call check(accel(3) == 6, 'by path, indices begin at 0')
    end subroutine

    subroutine other_types()
        integer :: stat
        character(400) :: sentence
        type(c_ptr) :: data
        type(reading), target :: x
        x%t = 0
        call w%send([1d0, 2d0, 3d0])
        call check(r%next_any(5d0), 'an array arrives')
        data = r%struct(text, stat=stat, errmsg=sentence)
        call check(stat == WEIR_ETYPE .and. .not. c_associated(data), 'another type is refused')
        call check(index(sentence, 'the writer sends f64[3], you asked for {t: i64') > 0, 'showing both')
        call check(index(sentence, '(writer pid ') > 0, 'and who writes')
        call w%send_struct('{t: i65}', c_loc(x), stat=stat, errmsg=sentence)
        call check(stat == WEIR_EINVAL, 'a text that is no type is refused')
    end subroutine

    subroutine lists()
        real(real64), allocatable :: x(:, :)
        integer(int16), allocatable :: small(:, :)
        integer :: stat
        character(400) :: sentence
        call w%send_json('[[1,2,3],[4,5,300]]')
        call check(r%next_any(5d0), 'lists arrive')
        call r%array(x)
        call check(all(shape(x) == [2, 3]) .and. x(2, 3) == 300 .and. x(1, 2) == 2, 'and are arrays, with indices')
        call r%array(small)
        call check(small(2, 1) == 4, 'of the type asked for')
        call w%send_json('[[1,2],[3,40000]]')
        call check(r%next_any(5d0), 'too large a number arrives')
        call r%array(small, stat=stat, errmsg=sentence)
        call check(stat == WEIR_ETYPE .and. index(sentence, '40000 does not fit i16') > 0, 'and is named')
        call check(small(2, 3) == 300, 'and the array is what it was')
        call w%send_json('[[],[]]')
        call check(r%next(x, timeout=5d0), 'lists without items')
        call check(all(shape(x) == [2, 0]), 'have a shape')
    end subroutine
end program structs_test
