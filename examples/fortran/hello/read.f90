! Prints the type and the greatest number of every spectrum, until none came for a minute.
program read
    use weir
    implicit none
    type(weir_reader) :: spectrum
    real(8), allocatable :: x(:, :)
    call spectrum%open('lab/spectrum')
    do while (spectrum%next(x, timeout=60d0))
        print '(i0, 1x, a, 1x, g0)', spectrum%seq(), spectrum%type(), maxval(x) ! x(4,256), whoever sent it
        flush (6)
    end do
end program read
