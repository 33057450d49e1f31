"""Reads a capture with scapy and prints, as JSON, the routes in the UPDATEs of each sender.

Usage: python3 decode.py FILE.pcap [ADDRESS...]; only the senders named, or all.
TCP streams are put together here by sequence number, because scapy decodes one message at a time.
"""
import json
import sys

from scapy.config import conf
from scapy.contrib.bgp import BGPHeader, BGPUpdate, bgp_module_conf
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader

conf.verb = 0
bgp_module_conf.use_2_bytes_asn = False


def streams(path, wanted):
    """(sender, octets) of every TCP stream, one per direction."""
    segments = {}
    for packet in PcapReader(path):
        ip = packet.getlayer(IP) or packet.getlayer(IPv6)
        tcp = packet.getlayer(TCP)
        if tcp is None or (wanted and ip.src not in wanted):
            continue
        key = (ip.src, ip.dst, tcp.sport, tcp.dport)
        if tcp.flags.S:
            segments[key] = [(ip.src, tcp.seq + 1, {})] if key not in segments else (
                segments[key] + [(ip.src, tcp.seq + 1, {})])
        # The length of the payload comes from IP: a short frame is padded by Ethernet.
        size = (ip.len - 4 * ip.ihl if isinstance(ip, IP) else ip.plen) - 4 * tcp.dataofs
        payload = bytes(tcp)[4 * tcp.dataofs:4 * tcp.dataofs + size]
        if size > 0 and key in segments:
            segments[key][-1][2].setdefault(tcp.seq, payload)
    for parts in segments.values():
        for sender, start, pieces in parts:
            data = b""
            for seq in sorted(pieces):
                offset = (seq - start) % 2**32
                if offset > len(data):
                    raise SystemExit(f"{sender}: octets of the stream are missing at {len(data)}")
                data += pieces[seq][len(data) - offset:]
            yield sender, data


def messages(data):
    """The whole messages of a stream."""
    while len(data) >= 19:
        length = int.from_bytes(data[16:18], "big")
        if data[:16] != b"\xff" * 16 or length < 19:
            raise SystemExit("a stream is not made of BGP messages")
        if len(data) < length:
            return
        yield data[:length]
        data = data[length:]


def routes(update):
    """The prefixes of an UPDATE with the next hop of each."""
    next_hop = None
    found = []
    for attribute in update.path_attr or []:
        value = attribute.attribute
        if attribute.type_code == 3:
            next_hop = value.next_hop
        elif attribute.type_code == 14:
            hop = value.nh_v6_addr if value.nh_addr_len == 16 else (
                value.nh_v6_global if value.nh_addr_len == 32 else value.nh_v4_addr)
            found += [(nlri.prefix, hop) for nlri in value.nlri]
    return found + [(nlri.prefix, next_hop) for nlri in update.nlri or []]


def main():
    result = {}
    for sender, data in streams(sys.argv[1], set(sys.argv[2:])):
        entry = result.setdefault(sender, {"messages": 0, "updates": 0, "longest": 0, "routes": []})
        for message in messages(data):
            entry["messages"] += 1
            entry["longest"] = max(entry["longest"], len(message))
            decoded = BGPHeader(message)
            if decoded.type != 2:
                continue
            entry["updates"] += 1
            entry["routes"] += routes(decoded[BGPUpdate])
    json.dump(result, sys.stdout)


assert Ether  # the link layer of the captures: importing it registers it
main()
