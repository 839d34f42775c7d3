! Follows a channel and answers calls at the same time, until nothing came for a minute.
program loop
    use weir
    implicit none
    type(weir_reader) :: spectrum
    type(weir_server) :: server
    real(8) :: number
    logical :: ready(2)
    call spectrum%open('lab/spectrum')
    call server%open('lab/calculator')
    do
        do while (spectrum%next_any(timeout=0d0)) ! an end is asked until it has nothing more, then waited for
            print '(i0, 1x, a)', spectrum%seq(), spectrum%type()
            flush (6)
        end do
        do while (server%next(timeout=0d0))
            call server%get('', number)
            call server%reply(2*number)
        end do
        if (.not. weir_wait([spectrum%fd(), server%fd()], ready, timeout=60d0)) exit
    end do
end program loop
