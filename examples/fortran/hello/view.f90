! As read, but looks at each spectrum where it lies in the channel: nothing is copied.
program view
    use weir
    implicit none
    type(weir_reader) :: spectrum
    real(8), pointer :: x(:, :)
    call spectrum%open('lab/spectrum')
    do while (spectrum%next(x, timeout=60d0, order='reversed')) ! row order, f64[4,256], is x(256,4) as it lies
        print '(i0, 1x, a, 1x, g0)', spectrum%seq(), spectrum%type(), maxval(x)
        flush (6)
    end do
end program view
