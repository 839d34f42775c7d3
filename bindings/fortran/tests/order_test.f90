! What happens to the order of an array's indices, in every way of sending and of reading.
!
! The array is x(r,c) = 10 r + c, so every element says where it belongs.
program order_test
    use, intrinsic :: iso_fortran_env, only: int32, int8, real32, real64
    use tap
    use weir
    implicit none
    type(weir_writer) :: w
    type(weir_reader) :: r
    real(real64) :: x(4, 3)
    integer :: i, j

    do j = 1, 3
        do i = 1, 4
            x(i, j) = 10*i + j
        end do
    end do
    call w%open('test/order')
    call r%open('test/order?from=oldest')
    call same_on_both_sides()
    call row_order()
    call reversed()
    call sections()
    call many_ranks()
    call conversions()
    call in_place()
    call finish()

contains

    subroutine same_on_both_sides()
        real(real64), allocatable :: y(:, :)
        real(real64), pointer :: p(:, :)
        call w%send(x)
        call check(r%next(y, timeout=5d0), 'column order arrives')
        call check_text(r%type(), 'f64[4,3]:col', 'an array goes as it lies')
        call check(all(shape(y) == [4, 3]) .and. all(y == x), 'and is read with the same indices')
        call w%send(x)
        call check(r%next(p, timeout=5d0), 'a pointer can see it')
        call check(all(shape(p) == [4, 3]) .and. all(p == x), 'with the same indices, without a copy')
        call check(is_contiguous(p), 'and it is contiguous')
    end subroutine

    subroutine row_order()
        real(real64), allocatable :: y(:, :)
        real(real64), pointer :: p(:, :)
        integer :: stat
        character(300) :: sentence
        call w%send(x, order='row')
        call check(r%next(y, timeout=5d0), 'row order arrives')
        call check_text(r%type(), 'f64[4,3]', 'order="row" sends the same shape in row order')
        call check(all(shape(y) == [4, 3]) .and. all(y == x), 'row order is rearranged, never silently transposed')
        p => null()
        call r%view(p, stat=stat, errmsg=sentence)
        call check(stat == WEIR_ETYPE .and. .not. associated(p), 'a pointer refuses row order')
        call check(index(sentence, "order='reversed'") > 0, 'and says the way out')
        call r%view(p, order='reversed')
        call check(all(shape(p) == [3, 4]) .and. all(p == transpose(x)), 'reversed it sees the memory as it lies')
        call r%array(y, order='reversed')
        call check(all(shape(y) == [3, 4]) .and. all(y == transpose(x)), 'so does a reversed copy')
    end subroutine

    subroutine reversed()
        real(real64), allocatable :: y(:, :)
        real(real64), pointer :: p(:, :)
        integer :: stat
        call w%send(x, order='reversed')
        call check(r%next(y, timeout=5d0), 'a reversed array arrives')
        call check_text(r%type(), 'f64[3,4]', 'order="reversed" turns the shape around and copies nothing')
        call check(all(y == transpose(x)), 'its indices are turned around for everybody')
        call w%send(x)
        call check(r%next(y, timeout=5d0, order='reversed'), 'column order read reversed')
        call check(all(y == transpose(x)), 'is rearranged')
        call r%view(p, order='reversed', stat=stat)
        call check(stat == WEIR_ETYPE, 'which a pointer cannot do')
        call w%send(x, order='sideways', stat=stat)
        call check(stat == WEIR_EINVAL, 'an unknown order is refused')
    end subroutine

    subroutine sections()
        real(real64), allocatable :: y(:, :), z(:)
        call w%send(x(::2, 3:1:-1))
        call check(r%next(y, timeout=5d0), 'a section with steps arrives')
        call check(all(y == x(::2, 3:1:-1)), 'as if it were an array of its own')
        call w%send(x(2, :), order='row')
        call check(r%next(z, timeout=5d0), 'a row of a matrix arrives')
        call check(all(z == x(2, :)), 'as a vector')
        call w%send(x(1:0, :))
        call check(r%next(y, timeout=5d0), 'an empty array arrives')
        call check(all(shape(y) == [0, 3]), 'with its shape')
    end subroutine

    subroutine many_ranks()
        real(real32) :: a(2, 3, 4), b(2, 2, 2, 2)
        real(real32), allocatable :: c(:, :, :), d(:, :, :, :)
        integer(int32), allocatable :: e(:, :, :)
        integer :: k, stat
        a = reshape([(real(k), k=1, 24)], [2, 3, 4])
        b = reshape([(real(k), k=1, 16)], [2, 2, 2, 2])
        call w%send(a, order='row')
        call check(r%next(c, timeout=5d0), 'rank 3 in row order arrives')
        call check(all(shape(c) == [2, 3, 4]) .and. all(c == a), 'rank 3 keeps its indices')
        call r%array(c, order='reversed')
        call check(all(shape(c) == [4, 3, 2]) .and. c(4, 1, 2) == a(2, 1, 4), 'rank 3 reversed')
        call r%array(e)
        call check(all(e == nint(a)), 'whole numbers convert from real(4) to integer(4)')
        call w%send(b)
        call check(r%next(d, timeout=5d0), 'rank 4 arrives')
        call check(all(d == b), 'rank 4 keeps its indices')
        call r%array(c, stat=stat)
        call check(stat == WEIR_ETYPE .and. all(shape(c) == [4, 3, 2]), &
            'another rank is refused, the target left as it was')
    end subroutine

    subroutine conversions()
        integer(int8) :: bytes(3)
        integer(int32), allocatable :: wide(:)
        integer(int8), allocatable :: narrow(:)
        real(real64), allocatable :: reals(:)
        integer :: stat
        character(300) :: sentence
        bytes = [1_int8, -1_int8, 127_int8]
        call w%send(bytes, unsigned=.true.)
        call check(r%next(wide, timeout=5d0), 'unsigned bytes arrive')
        call check_text(r%type(), 'u8[3]', 'under their type')
        call check(all(wide == [1, 255, 127]), 'and widen without loss')
        call r%array(narrow, stat=stat, errmsg=sentence)
        call check(stat == WEIR_ETYPE .and. index(sentence, 'does not fit') > 0, 'what does not fit is refused')
        call r%array(reals)
        call check(all(reals == [1d0, 255d0, 127d0]), 'integers become reals where nothing is lost')
        call w%send_json('[1, 2.5, 3]')
        call check(r%next(reals, timeout=5d0), 'a list of numbers reads as an array')
        call check(all(reals == [1d0, 2.5d0, 3d0]), 'with its numbers')
        call r%array(wide, stat=stat)
        call check(stat == WEIR_ETYPE, 'but not as integers')
        call nested_lists()
    end subroutine

    ! Arrays that are computed in the channel itself.
    subroutine in_place()
        real(real64), pointer :: p(:, :)
        real(real64), allocatable :: y(:, :)
        integer(int8), pointer :: bytes(:)
        integer(int32), allocatable :: wide(:)
        character(:), allocatable :: text
        integer :: stat
        character(300) :: sentence
        p => null()
        call w%reserve(p, [4, 3], op='in place', unit='V')
        call check(all(shape(p) == [4, 3]) .and. is_contiguous(p), 'room of the shape that was asked for')
        p = x
        call w%commit()
        call check(r%next(y, timeout=5d0), 'what was reserved arrives when it is committed')
        call r%get_meta('unit', text)
        call check_text(r%type()//' '//r%op()//' '//text, 'f64[4,3]:col in place V', 'as an array goes that lies so')
        call check(all(y == x), 'with the same indices')
        call w%reserve(p, [3, 4], order='reversed')
        p = transpose(x)
        call w%commit()
        call check(r%next(y, timeout=5d0), 'a reversed one arrives')
        call check_text(r%type(), 'f64[4,3]', 'in row order')
        call check(all(y == x), 'with its indices turned around for everybody')
        call w%reserve(p, [4, 3])
        call w%discard()
        call check(.not. r%next(y, timeout=0d0), 'what is discarded is not sent')
        call w%reserve(bytes, [2], unsigned=.true.)
        bytes = [1_int8, -1_int8]
        call w%commit()
        call check(r%next(wide, timeout=5d0), 'unsigned bytes arrive')
        call check(all(wide == [1, 255]), 'with their values')
        call w%reserve(p, [4, 3], order='row', stat=stat, errmsg=sentence)
        call check(stat == WEIR_EINVAL .and. index(sentence, 'reversed') > 0, 'row order cannot be rearranged in place')
        call w%reserve(p, [4], stat=stat)
        call check(stat == WEIR_EINVAL .and. .not. associated(p), 'a shape of another rank is refused')
        call w%commit(stat=stat)
        call check(stat /= WEIR_OK, 'nothing reserved, nothing to commit')
    end subroutine

    subroutine nested_lists()
        real(real64), allocatable :: y(:, :)
        integer :: stat
        call w%send_json('{"m": [[11, 12, 13], [21, 22, 23]], "bad": [[1, 2], [3]]}')
        call check(r%next_any(5d0), 'nested lists arrive')
        call r%array(y, 'm')
        call check(all(shape(y) == [2, 3]) .and. y(2, 1) == 21, 'x(i,j) is the j-th item of the i-th list')
        call r%array(y, 'bad', stat=stat)
        call check(stat == WEIR_ETYPE, 'rows of different length are refused')
        call r%array(y, 'absent', stat=stat)
        call check(stat == WEIR_ENOENT, 'a path to nothing is said to be so')
    end subroutine
end program order_test
