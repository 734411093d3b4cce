"""Services and protocols: a part of /etc/services and /etc/protocols that is the same on every machine.

Owns getservbyname, getservbyport and getprotobyname.
"""

from __future__ import annotations

from typing import Any

from .arguments import c_int, c_string

# As services(5) writes them: name, port/protocols, aliases.  Of several with one port the first is meant.
_SERVICES = """
tcpmux 1/tcp
echo 7/tcp/udp
discard 9/tcp/udp sink null
systat 11/tcp users
daytime 13/tcp/udp
netstat 15/tcp
qotd 17/tcp quote
chargen 19/tcp/udp ttytst source
ftp-data 20/tcp
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
time 37/tcp/udp timserver
whois 43/tcp nicname
tacacs 49/tcp/udp
domain 53/tcp/udp
bootps 67/udp
bootpc 68/udp
tftp 69/udp
gopher 70/tcp
finger 79/tcp
http 80/tcp www
kerberos 88/tcp/udp kerberos5 krb5 kerberos-sec
pop3 110/tcp pop-3
sunrpc 111/tcp/udp portmapper
auth 113/tcp authentication tap ident
nntp 119/tcp readnews untp
ntp 123/udp
epmap 135/tcp loc-srv
netbios-ns 137/udp
netbios-dgm 138/udp
netbios-ssn 139/tcp
imap2 143/tcp imap
snmp 161/tcp/udp
snmp-trap 162/tcp/udp snmptrap
bgp 179/tcp
ldap 389/tcp/udp
https 443/tcp/udp
microsoft-ds 445/tcp/udp
submissions 465/tcp ssmtp smtps urd
isakmp 500/udp
exec 512/tcp
biff 512/udp comsat
login 513/tcp
who 513/udp whod
shell 514/tcp cmd syslog
syslog 514/udp
printer 515/tcp spooler
rtsp 554/tcp/udp
submission 587/tcp
ldaps 636/tcp/udp
domain-s 853/tcp/udp
rsync 873/tcp
ftps-data 989/tcp
ftps 990/tcp
telnets 992/tcp
imaps 993/tcp
pop3s 995/tcp
socks 1080/tcp
openvpn 1194/tcp/udp
ms-sql-s 1433/tcp
radius 1812/tcp/udp
mqtt 1883/tcp
nfs 2049/tcp/udp
mysql 3306/tcp
sip 5060/tcp/udp
sip-tls 5061/tcp/udp
xmpp-client 5222/tcp jabber-client
postgresql 5432/tcp postgres
amqps 5671/tcp
amqp 5672/tcp/sctp
x11 6000/tcp x11-0
redis 6379/tcp
ircd 6667/tcp
http-alt 8080/tcp webcache
secure-mqtt 8883/tcp
git 9418/tcp
"""

# As protocols(5) writes them: name, number, alias.
_PROTOCOLS = """
ip 0 IP
icmp 1 ICMP
igmp 2 IGMP
ipencap 4 IP-ENCAP
tcp 6 TCP
udp 17 UDP
dccp 33 DCCP
ipv6 41 IPv6
ipv6-route 43 IPv6-Route
ipv6-frag 44 IPv6-Frag
gre 47 GRE
esp 50 IPSEC-ESP
ah 51 IPSEC-AH
ipv6-icmp 58 IPv6-ICMP
ipv6-nonxt 59 IPv6-NoNxt
ipv6-opts 60 IPv6-Opts
ospf 89 OSPFIGP
pim 103 PIM
vrrp 112 VRRP
l2tp 115 L2TP
sctp 132 SCTP
udplite 136 UDPLite
mptcp 262 MPTCP
"""


_PORTS: dict[tuple[str, str], int] = {}
_SERVICE_AT: dict[tuple[int, str], str] = {}
for _row in _SERVICES.strip().splitlines():
    _main, _numbers, *_aliases = _row.split()
    _port, *_protocols = _numbers.split("/")
    for _protocol in _protocols:
        _SERVICE_AT.setdefault((int(_port), _protocol), _main)
        for _name in (_main, *_aliases):
            _PORTS.setdefault((_name, _protocol), int(_port))

_NUMBERS: dict[str, int] = {}
for _row in _PROTOCOLS.strip().splitlines():
    _main, _number, _alias = _row.split()
    _NUMBERS[_main] = _NUMBERS[_alias] = int(_number)

_ANY_PROTOCOL = ("tcp", "udp", "sctp")  # in the order in which the file lists them
_NOT_GIVEN: Any = ...


def port_of(service: str, protocol: str) -> int | None:
    """The port of a service over a protocol."""
    return _PORTS.get((service, protocol))


def service_at(port: int, protocol: str) -> str | None:
    """The service that has a port over a protocol."""
    return _SERVICE_AT.get((port, protocol))


def getservbyname(servicename: str, protocolname: str = _NOT_GIVEN, /) -> int:
    """The port of a service (getservent(3)); OSError if it is not known."""
    service = c_string("getservbyname", 1, servicename)
    for protocol in _protocols_meant("getservbyname", protocolname):
        port = port_of(service, protocol)
        if port is not None:
            return port
    raise OSError("service/proto not found")


def getservbyport(port: int, protocolname: str = _NOT_GIVEN, /) -> str:
    """The service at a port; OSError if none is known."""
    number = c_int(port)
    protocols = _protocols_meant("getservbyport", protocolname)
    if not 0 <= number <= 0xFFFF:
        raise OverflowError("getservbyport: port must be 0-65535.")
    for protocol in protocols:
        service = service_at(number, protocol)
        if service is not None:
            return service
    raise OSError("port/proto not found")


def getprotobyname(protocolname: str, /) -> int:
    """The number of a protocol (getprotoent(3)); OSError if it is not known."""
    number = _NUMBERS.get(c_string("getprotobyname", 1, protocolname))
    if number is None:
        raise OSError("protocol not found")
    return number


def _protocols_meant(call: str, protocolname: str) -> tuple[str, ...]:
    return _ANY_PROTOCOL if protocolname is _NOT_GIVEN else (c_string(call, 2, protocolname),)
