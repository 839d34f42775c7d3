! Answers "double" until nobody asked for a minute; for anything else the client gets a sentence.
program serve
    use weir
    implicit none
    type(weir_server) :: server
    real(8) :: number
    call server%open('lab/calculator')
    do while (server%next(timeout=60d0))
        if (server%op() == 'double') then
            call server%get('', number)
            call server%reply(2*number)
        else
            call server%fail('no operation '//server%op()//' here', 42)
        end if
    end do
end program serve
