! Prints the latest spectrum's age and greatest number; fails when it is more than 2 seconds old.
program latest
    use, intrinsic :: iso_fortran_env, only: error_unit
    use weir
    implicit none
    type(weir_message) :: spectrum
    real(8), allocatable :: x(:, :)
    character(400) :: sentence
    integer :: stat
    call weir_get('lab/spectrum', spectrum, max_age=2d0, stat=stat, errmsg=sentence)
    if (stat /= WEIR_OK) then ! WEIR_ENOENT: no channel, no message yet, or an old one, which spectrum holds then
        write (error_unit, '(a)') trim(sentence)
        stop 1, quiet=.true.
    end if
    call spectrum%array(x)
    print '(f0.3, a, g0)', spectrum%age(), ' s ago: ', maxval(x)
end program latest
