<?php
// The errors that Weir\get can have, named and numbered as the extension's.

declare(strict_types=1);

namespace Weir;

/** getCode() is the number of the error (ENOENT, ...), getMessage() a sentence that says what, who, and the way out. */
class Error extends \RuntimeException
{
    protected const NUMBER = ESYSTEM;
    protected const NAME = 'WEIR_ESYSTEM';
    /** 'WEIR_ENOENT' */
    public $name = '';
    /** errno of the system call behind it; plain PHP does not tell it. */
    public $errno = 0;
    /** Bytes into the input, of a ParseException. */
    public $offset = 0;

    public function __construct(string $sentence, int $offset = 0)
    {
        parent::__construct($sentence, static::NUMBER);
        $this->name = static::NAME;
        $this->offset = $offset;
    }
}

class NotFoundException extends Error
{
    protected const NUMBER = ENOENT;
    protected const NAME = 'WEIR_ENOENT';
}

class TypeException extends Error
{
    protected const NUMBER = ETYPE;
    protected const NAME = 'WEIR_ETYPE';
}

class InvalidException extends Error
{
    protected const NUMBER = EINVAL;
    protected const NAME = 'WEIR_EINVAL';
}

class AddressException extends Error
{
    protected const NUMBER = EADDRESS;
    protected const NAME = 'WEIR_EADDRESS';
}

class AccessException extends Error
{
    protected const NUMBER = EACCESS;
    protected const NAME = 'WEIR_EACCESS';
}

class ParseException extends Error
{
    protected const NUMBER = EPARSE;
    protected const NAME = 'WEIR_EPARSE';
}

class LimitException extends Error
{
    protected const NUMBER = ELIMIT;
    protected const NAME = 'WEIR_ELIMIT';
}

class SystemException extends Error
{
}

class CorruptException extends Error
{
    protected const NUMBER = ECORRUPT;
    protected const NAME = 'WEIR_ECORRUPT';
}

class VersionException extends Error
{
    protected const NUMBER = EVERSION;
    protected const NAME = 'WEIR_EVERSION';
}

class UnsupportedException extends Error
{
    protected const NUMBER = ENOTSUP;
    protected const NAME = 'WEIR_ENOTSUP';
}

/** Of Weir\get with maxAge. */
class StaleException extends Error
{
    protected const NUMBER = ETIMEOUT;
    protected const NAME = 'WEIR_ETIMEOUT';
    /** @var ?Message the message that is too old */
    public $last = null;

    public function __construct(string $sentence, ?Message $last = null)
    {
        parent::__construct($sentence);
        $this->last = $last;
    }
}
