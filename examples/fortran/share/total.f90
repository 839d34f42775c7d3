! Prints the number and the greatest element of every image, read where it lies: a row of numpy's is a column here. Ends when none came
! for a minute.
program total
    use weir
    implicit none
    type(weir_reader) :: image
    real(8), pointer :: x(:, :)
    call image%open('lab/image')
    do while (image%next(x, timeout=60d0, order='reversed'))
        print '(i0, 1x, g0)', image%seq(), maxval(x)
        flush (6)
    end do
end program total
