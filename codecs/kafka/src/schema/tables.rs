//! Kafka's messages, every version of each, and its error codes. Written by `schemas/generate.py` from
//! `common/message/*.json` and `Errors` in
//!   kafka-clients 4.3.1 of 2026-06-17 (commit 26b251a451ce941d)
//!   kafka-clients 3.9.2 of 2026-02-07 (commit 5e9866f43ab8e7e4)
//! Where both know a version, the first counts. Not to be edited: `make schemas` writes it again.

use super::Role::{self as R, *};
use super::{Api, COMPACT as C, NEVER, NULL_DEFAULT as D, NULLABLE as N, Struct, Versions};
use super::{array as a, bytes as b, fixed as f, maybe as m, structure as s, text as t, known as v};

/// By API key: the first and the last version known, and the first that is flexible.
pub static VERSIONS: [Versions; 93] = [
    v(0, 13, 9), // 0 Produce
    v(0, 18, 12), // 1 Fetch
    v(0, 11, 6), // 2 ListOffsets
    v(0, 13, 9), // 3 Metadata
    v(0, 7, 4), // 4 LeaderAndIsr
    v(0, 4, 2), // 5 StopReplica
    v(0, 8, 6), // 6 UpdateMetadata
    v(0, 3, 3), // 7 ControlledShutdown
    v(0, 10, 8), // 8 OffsetCommit
    v(0, 10, 6), // 9 OffsetFetch
    v(0, 6, 3), // 10 FindCoordinator
    v(0, 9, 6), // 11 JoinGroup
    v(0, 4, 4), // 12 Heartbeat
    v(0, 5, 4), // 13 LeaveGroup
    v(0, 5, 4), // 14 SyncGroup
    v(0, 6, 5), // 15 DescribeGroups
    v(0, 5, 3), // 16 ListGroups
    v(0, 1, NEVER), // 17 SaslHandshake
    v(0, 4, 3), // 18 ApiVersions
    v(0, 7, 5), // 19 CreateTopics
    v(0, 6, 4), // 20 DeleteTopics
    v(0, 2, 2), // 21 DeleteRecords
    v(0, 6, 2), // 22 InitProducerId
    v(0, 4, 4), // 23 OffsetForLeaderEpoch
    v(0, 5, 3), // 24 AddPartitionsToTxn
    v(0, 4, 3), // 25 AddOffsetsToTxn
    v(0, 5, 3), // 26 EndTxn
    v(0, 2, 1), // 27 WriteTxnMarkers
    v(0, 5, 3), // 28 TxnOffsetCommit
    v(0, 3, 2), // 29 DescribeAcls
    v(0, 3, 2), // 30 CreateAcls
    v(0, 3, 2), // 31 DeleteAcls
    v(0, 4, 4), // 32 DescribeConfigs
    v(0, 2, 2), // 33 AlterConfigs
    v(0, 2, 2), // 34 AlterReplicaLogDirs
    v(0, 5, 2), // 35 DescribeLogDirs
    v(0, 2, 2), // 36 SaslAuthenticate
    v(0, 3, 2), // 37 CreatePartitions
    v(0, 3, 2), // 38 CreateDelegationToken
    v(0, 2, 2), // 39 RenewDelegationToken
    v(0, 2, 2), // 40 ExpireDelegationToken
    v(0, 3, 2), // 41 DescribeDelegationToken
    v(0, 2, 2), // 42 DeleteGroups
    v(0, 2, 2), // 43 ElectLeaders
    v(0, 1, 1), // 44 IncrementalAlterConfigs
    v(0, 1, 0), // 45 AlterPartitionReassignments
    v(0, 0, 0), // 46 ListPartitionReassignments
    v(0, 0, NEVER), // 47 OffsetDelete
    v(0, 1, 1), // 48 DescribeClientQuotas
    v(0, 1, 1), // 49 AlterClientQuotas
    v(0, 0, 0), // 50 DescribeUserScramCredentials
    v(0, 0, 0), // 51 AlterUserScramCredentials
    v(0, 2, 0), // 52 Vote
    v(0, 1, 1), // 53 BeginQuorumEpoch
    v(0, 1, 1), // 54 EndQuorumEpoch
    v(0, 2, 0), // 55 DescribeQuorum
    v(0, 3, 0), // 56 AlterPartition
    v(0, 2, 0), // 57 UpdateFeatures
    v(0, 0, 0), // 58 Envelope
    v(0, 1, 0), // 59 FetchSnapshot
    v(0, 2, 0), // 60 DescribeCluster
    v(0, 0, 0), // 61 DescribeProducers
    v(0, 4, 0), // 62 BrokerRegistration
    v(0, 2, 0), // 63 BrokerHeartbeat
    v(0, 0, 0), // 64 UnregisterBroker
    v(0, 0, 0), // 65 DescribeTransactions
    v(0, 2, 0), // 66 ListTransactions
    v(0, 0, 0), // 67 AllocateProducerIds
    v(0, 1, 0), // 68 ConsumerGroupHeartbeat
    v(0, 1, 0), // 69 ConsumerGroupDescribe
    v(0, 0, 0), // 70 ControllerRegistration
    v(0, 0, 0), // 71 GetTelemetrySubscriptions
    v(0, 0, 0), // 72 PushTelemetry
    v(0, 0, 0), // 73 AssignReplicasToDirs
    v(0, 1, 0), // 74 ListConfigResources
    v(0, 0, 0), // 75 DescribeTopicPartitions
    v(0, 1, 0), // 76 ShareGroupHeartbeat
    v(0, 1, 0), // 77 ShareGroupDescribe
    v(0, 2, 0), // 78 ShareFetch
    v(0, 2, 0), // 79 ShareAcknowledge
    v(0, 1, 0), // 80 AddRaftVoter
    v(0, 0, 0), // 81 RemoveRaftVoter
    v(0, 0, 0), // 82 UpdateRaftVoter
    v(0, 0, 0), // 83 InitializeShareGroupState
    v(0, 0, 0), // 84 ReadShareGroupState
    v(0, 1, 0), // 85 WriteShareGroupState
    v(0, 0, 0), // 86 DeleteShareGroupState
    v(0, 1, 0), // 87 ReadShareGroupStateSummary
    v(0, 0, 0), // 88 StreamsGroupHeartbeat
    v(0, 0, 0), // 89 StreamsGroupDescribe
    v(0, 1, 0), // 90 DescribeShareGroupOffsets
    v(0, 0, 0), // 91 AlterShareGroupOffsets
    v(0, 0, 0), // 92 DeleteShareGroupOffsets
];

/// By API key: for each version from the first on, the numbers of the structs of its request and its response.
pub static APIS: [Api; 93] = [
    Api { name: "Produce", first: 0, versions: &[(2, 5), (6, 9), (6, 12), (13, 12), (13, 12), (13, 16), (13, 16), (13, 16), (13, 20), (23, 27), (23, 32), (23, 32), (23, 32), (34, 36)] },
    Api { name: "Fetch", first: 0, versions: &[(39, 42), (39, 43), (39, 43), (44, 43), (45, 49), (52, 55), (52, 55), (58, 59), (60, 59), (63, 59), (63, 59), (64, 67), (71, 76), (79, 81), (79, 81), (82, 81), (82, 83), (86, 83), (89, 83)] },
    Api { name: "ListOffsets", first: 0, versions: &[(92, 96), (99, 102), (103, 104), (103, 104), (107, 110), (107, 110), (113, 116), (113, 116), (113, 116), (113, 116), (117, 116), (117, 116)] },
    Api { name: "Metadata", first: 0, versions: &[(119, 124), (125, 128), (125, 129), (125, 130), (131, 130), (131, 134), (131, 134), (131, 137), (138, 140), (142, 145), (147, 149), (150, 151), (150, 153), (150, 154)] },
    Api { name: "LeaderAndIsr", first: 0, versions: &[(156, 158), (160, 158), (163, 158), (166, 158), (170, 172), (174, 177), (180, 177), (181, 177)] },
    Api { name: "StopReplica", first: 0, versions: &[(183, 158), (184, 158), (185, 172), (188, 172), (189, 172)] },
    Api { name: "UpdateMetadata", first: 0, versions: &[(156, 190), (193, 190), (195, 190), (198, 190), (200, 190), (203, 190), (208, 209), (211, 209), (212, 209)] },
    Api { name: "ControlledShutdown", first: 0, versions: &[(121, 213), (121, 213), (214, 213), (215, 217)] },
    Api { name: "OffsetCommit", first: 0, versions: &[(220, 223), (226, 223), (227, 223), (227, 228), (227, 228), (229, 228), (232, 228), (233, 228), (236, 238), (236, 238), (240, 241)] },
    Api { name: "OffsetFetch", first: 0, versions: &[(242, 245), (242, 245), (246, 247), (246, 248), (246, 248), (246, 251), (252, 255), (256, 255), (257, 259), (261, 259), (263, 266)] },
    Api { name: "FindCoordinator", first: 0, versions: &[(267, 268), (269, 270), (269, 270), (271, 272), (274, 276), (274, 276), (274, 276)] },
    Api { name: "JoinGroup", first: 0, versions: &[(278, 280), (281, 280), (281, 282), (281, 282), (281, 282), (283, 285), (287, 289), (287, 290), (291, 290), (291, 292)] },
    Api { name: "Heartbeat", first: 0, versions: &[(293, 190), (293, 294), (293, 294), (295, 294), (296, 297)] },
    Api { name: "LeaveGroup", first: 0, versions: &[(298, 190), (298, 294), (298, 294), (300, 302), (304, 306), (308, 306)] },
    Api { name: "SyncGroup", first: 0, versions: &[(309, 310), (309, 311), (309, 311), (312, 311), (314, 315), (316, 317)] },
    Api { name: "DescribeGroups", first: 0, versions: &[(319, 322), (319, 323), (319, 323), (324, 326), (324, 329), (331, 334), (331, 336)] },
    Api { name: "ListGroups", first: 0, versions: &[(337, 339), (337, 340), (337, 340), (341, 343), (345, 347), (348, 350)] },
    Api { name: "SaslHandshake", first: 0, versions: &[(351, 353), (351, 353)] },
    Api { name: "ApiVersions", first: 0, versions: &[(337, 355), (337, 356), (337, 356), (357, 360), (357, 360)] },
    Api { name: "CreateTopics", first: 0, versions: &[(364, 366), (367, 369), (370, 371), (370, 371), (370, 371), (375, 378), (375, 378), (375, 380)] },
    Api { name: "DeleteTopics", first: 0, versions: &[(381, 366), (381, 382), (381, 382), (381, 382), (384, 386), (384, 388), (390, 392)] },
    Api { name: "DeleteRecords", first: 0, versions: &[(393, 396), (393, 396), (399, 402)] },
    Api { name: "InitProducerId", first: 0, versions: &[(403, 404), (403, 404), (405, 406), (407, 406), (407, 406), (407, 406), (408, 409)] },
    Api { name: "OffsetForLeaderEpoch", first: 0, versions: &[(412, 415), (412, 418), (421, 422), (423, 422), (426, 429)] },
    Api { name: "AddPartitionsToTxn", first: 0, versions: &[(430, 228), (430, 228), (430, 228), (431, 238), (433, 435), (433, 435)] },
    Api { name: "AddOffsetsToTxn", first: 0, versions: &[(436, 294), (436, 294), (436, 294), (437, 297), (437, 297)] },
    Api { name: "EndTxn", first: 0, versions: &[(438, 294), (438, 294), (438, 294), (439, 297), (439, 297), (439, 440)] },
    Api { name: "WriteTxnMarkers", first: 0, versions: &[(442, 444), (446, 448), (450, 448)] },
    Api { name: "TxnOffsetCommit", first: 0, versions: &[(451, 228), (451, 228), (452, 228), (453, 238), (453, 238), (453, 238)] },
    Api { name: "DescribeAcls", first: 0, versions: &[(454, 457), (458, 460), (461, 464), (461, 464)] },
    Api { name: "CreateAcls", first: 0, versions: &[(466, 468), (470, 468), (472, 474), (472, 474)] },
    Api { name: "DeleteAcls", first: 0, versions: &[(475, 478), (479, 482), (483, 486), (483, 486)] },
    Api { name: "DescribeConfigs", first: 0, versions: &[(488, 491), (492, 496), (492, 496), (497, 500), (502, 506)] },
    Api { name: "AlterConfigs", first: 0, versions: &[(508, 510), (508, 510), (512, 514)] },
    Api { name: "AlterReplicaLogDirs", first: 0, versions: &[(516, 228), (516, 228), (518, 238)] },
    Api { name: "DescribeLogDirs", first: 0, versions: &[(519, 523), (519, 523), (524, 528), (524, 529), (524, 531), (524, 533)] },
    Api { name: "SaslAuthenticate", first: 0, versions: &[(534, 535), (534, 536), (537, 538)] },
    Api { name: "CreatePartitions", first: 0, versions: &[(541, 543), (541, 543), (546, 388), (546, 388)] },
    Api { name: "CreateDelegationToken", first: 0, versions: &[(548, 549), (548, 550), (552, 553), (554, 555)] },
    Api { name: "RenewDelegationToken", first: 0, versions: &[(556, 557), (556, 557), (558, 559)] },
    Api { name: "ExpireDelegationToken", first: 0, versions: &[(556, 557), (556, 557), (558, 559)] },
    Api { name: "DescribeDelegationToken", first: 0, versions: &[(560, 562), (560, 562), (563, 565), (563, 567)] },
    Api { name: "DeleteGroups", first: 0, versions: &[(319, 569), (319, 569), (570, 572)] },
    Api { name: "ElectLeaders", first: 0, versions: &[(573, 576), (577, 578), (579, 582)] },
    Api { name: "IncrementalAlterConfigs", first: 0, versions: &[(585, 510), (588, 514)] },
    Api { name: "AlterPartitionReassignments", first: 0, versions: &[(591, 592), (593, 594)] },
    Api { name: "ListPartitionReassignments", first: 0, versions: &[(595, 598)] },
    Api { name: "OffsetDelete", first: 0, versions: &[(242, 599)] },
    Api { name: "DescribeClientQuotas", first: 0, versions: &[(600, 603), (604, 607)] },
    Api { name: "AlterClientQuotas", first: 0, versions: &[(610, 612), (615, 617)] },
    Api { name: "DescribeUserScramCredentials", first: 0, versions: &[(619, 622)] },
    Api { name: "AlterUserScramCredentials", first: 0, versions: &[(625, 627)] },
    Api { name: "Vote", first: 0, versions: &[(630, 633), (636, 638), (641, 638)] },
    Api { name: "BeginQuorumEpoch", first: 0, versions: &[(642, 643), (647, 650)] },
    Api { name: "EndQuorumEpoch", first: 0, versions: &[(653, 643), (657, 650)] },
    Api { name: "DescribeQuorum", first: 0, versions: &[(660, 664), (660, 668), (660, 673)] },
    Api { name: "AlterPartition", first: 0, versions: &[(676, 679), (682, 685), (687, 689), (692, 689)] },
    Api { name: "UpdateFeatures", first: 0, versions: &[(694, 695), (697, 695), (697, 698)] },
    Api { name: "Envelope", first: 0, versions: &[(699, 700)] },
    Api { name: "FetchSnapshot", first: 0, versions: &[(703, 707), (710, 711)] },
    Api { name: "DescribeCluster", first: 0, versions: &[(712, 713), (714, 715), (716, 718)] },
    Api { name: "DescribeProducers", first: 0, versions: &[(719, 723)] },
    Api { name: "BrokerRegistration", first: 0, versions: &[(725, 726), (727, 726), (728, 726), (729, 726), (729, 726)] },
    Api { name: "BrokerHeartbeat", first: 0, versions: &[(730, 731), (732, 731), (733, 731)] },
    Api { name: "UnregisterBroker", first: 0, versions: &[(734, 698)] },
    Api { name: "DescribeTransactions", first: 0, versions: &[(736, 738)] },
    Api { name: "ListTransactions", first: 0, versions: &[(739, 741), (742, 741), (743, 741)] },
    Api { name: "AllocateProducerIds", first: 0, versions: &[(215, 744)] },
    Api { name: "ConsumerGroupHeartbeat", first: 0, versions: &[(745, 747), (748, 747)] },
    Api { name: "ConsumerGroupDescribe", first: 0, versions: &[(331, 753), (331, 756)] },
    Api { name: "ControllerRegistration", first: 0, versions: &[(757, 698)] },
    Api { name: "GetTelemetrySubscriptions", first: 0, versions: &[(73, 759)] },
    Api { name: "PushTelemetry", first: 0, versions: &[(760, 297)] },
    Api { name: "AssignReplicasToDirs", first: 0, versions: &[(763, 765)] },
    Api { name: "ListConfigResources", first: 0, versions: &[(341, 766), (767, 769)] },
    Api { name: "DescribeTopicPartitions", first: 0, versions: &[(770, 773)] },
    Api { name: "ShareGroupHeartbeat", first: 0, versions: &[(774, 747), (775, 747)] },
    Api { name: "ShareGroupDescribe", first: 0, versions: &[(331, 778), (331, 778)] },
    Api { name: "ShareFetch", first: 0, versions: &[(782, 786), (789, 792), (793, 792)] },
    Api { name: "ShareAcknowledge", first: 0, versions: &[(794, 797), (794, 797), (798, 799)] },
    Api { name: "AddRaftVoter", first: 0, versions: &[(800, 698), (801, 698)] },
    Api { name: "RemoveRaftVoter", first: 0, versions: &[(802, 698)] },
    Api { name: "UpdateRaftVoter", first: 0, versions: &[(803, 805)] },
    Api { name: "InitializeShareGroupState", first: 0, versions: &[(808, 811)] },
    Api { name: "ReadShareGroupState", first: 0, versions: &[(814, 818)] },
    Api { name: "WriteShareGroupState", first: 0, versions: &[(821, 811), (824, 811)] },
    Api { name: "DeleteShareGroupState", first: 0, versions: &[(825, 811)] },
    Api { name: "ReadShareGroupStateSummary", first: 0, versions: &[(814, 828), (814, 831)] },
    Api { name: "StreamsGroupHeartbeat", first: 0, versions: &[(840, 843)] },
    Api { name: "StreamsGroupDescribe", first: 0, versions: &[(331, 849)] },
    Api { name: "DescribeShareGroupOffsets", first: 0, versions: &[(850, 854), (850, 858)] },
    Api { name: "AlterShareGroupOffsets", first: 0, versions: &[(859, 861)] },
    Api { name: "DeleteShareGroupOffsets", first: 0, versions: &[(862, 864)] },
];

/// Every struct of every version, each once; inner ones before those that hold them.
pub static STRUCTS: [Struct; 865] = [
    Struct { ops: &[f(4, 0, Partition), b(N)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 8, fixed: false }, // 0
    Struct { ops: &[t(0, Topic), a(0, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 1
    Struct { ops: &[f(2, 0, Acks), f(4, 2, None), a(1, 0)], tags: &[], flexible: false, roles: R::Acks.bit()|R::Partition.bit()|R::Topic.bit(), least: 10, fixed: false }, // 2
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(8, 6, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 14, fixed: true }, // 3
    Struct { ops: &[t(0, Topic), a(3, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 4
    Struct { ops: &[a(4, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 5
    Struct { ops: &[f(2, 0, Acks), f(4, 0, None), a(1, 0)], tags: &[], flexible: false, roles: R::Acks.bit()|R::Partition.bit()|R::Topic.bit(), least: 10, fixed: false }, // 6
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(8, 0, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 14, fixed: true }, // 7
    Struct { ops: &[t(0, Topic), a(7, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 8
    Struct { ops: &[a(8, 0), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 9
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(16, 6, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 22, fixed: true }, // 10
    Struct { ops: &[t(0, Topic), a(10, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 11
    Struct { ops: &[a(11, 0), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 12
    Struct { ops: &[t(N|D, Transactional), f(2, 0, Acks), f(4, 0, None), a(1, 0)], tags: &[], flexible: false, roles: R::Acks.bit()|R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 12, fixed: false }, // 13
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(24, 22, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 30, fixed: true }, // 14
    Struct { ops: &[t(0, Topic), a(14, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 15
    Struct { ops: &[a(15, 0), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 16
    Struct { ops: &[f(4, 0, None), t(N|D, None)], tags: &[], flexible: false, roles: 0, least: 6, fixed: false }, // 17
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(24, 22, None), a(17, 0), t(N|D, ErrorMessage)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 36, fixed: false }, // 18
    Struct { ops: &[t(0, Topic), a(18, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 19
    Struct { ops: &[a(19, 0), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 20
    Struct { ops: &[f(4, 0, Partition), b(C|N)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 6, fixed: false }, // 21
    Struct { ops: &[t(C, Topic), a(21, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 22
    Struct { ops: &[t(C|N|D, Transactional), f(2, 0, Acks), f(4, 0, None), a(22, C)], tags: &[], flexible: true, roles: R::Acks.bit()|R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 9, fixed: false }, // 23
    Struct { ops: &[f(4, 0, None), t(C|N|D, None)], tags: &[], flexible: true, roles: 0, least: 6, fixed: false }, // 24
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(24, 22, None), a(24, C), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 33, fixed: false }, // 25
    Struct { ops: &[t(C, Topic), a(25, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 26
    Struct { ops: &[a(26, C), f(4, 0, Throttle)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 27
    Struct { ops: &[f(8, 14, None)], tags: &[], flexible: true, roles: 0, least: 9, fixed: false }, // 28
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(24, 22, None), a(24, C), t(C|N|D, ErrorMessage)], tags: &[(0, s(28))], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 33, fixed: false }, // 29
    Struct { ops: &[t(C, Topic), a(29, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 30
    Struct { ops: &[f(4, 0, Node), t(C, Host), f(4, 0, Port), t(C|N|D, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 11, fixed: false }, // 31
    Struct { ops: &[a(30, C), f(4, 0, Throttle)], tags: &[(0, a(31, C))], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 32
    Struct { ops: &[f(16, 46, TopicId), a(21, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 33
    Struct { ops: &[t(C|N|D, Transactional), f(2, 0, Acks), f(4, 0, None), a(33, C)], tags: &[], flexible: true, roles: R::Acks.bit()|R::Partition.bit()|R::TopicId.bit()|R::Transactional.bit(), least: 9, fixed: false }, // 34
    Struct { ops: &[f(16, 46, TopicId), a(29, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 35
    Struct { ops: &[a(35, C), f(4, 0, Throttle)], tags: &[(0, a(31, C))], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 36
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 16, fixed: true }, // 37
    Struct { ops: &[t(0, Topic), a(37, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 38
    Struct { ops: &[f(12, 18, None), a(38, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 16, fixed: false }, // 39
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(8, 0, None), b(N)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 18, fixed: false }, // 40
    Struct { ops: &[t(0, Topic), a(40, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 41
    Struct { ops: &[a(41, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 42
    Struct { ops: &[f(4, 0, Throttle), a(41, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 43
    Struct { ops: &[f(16, 66, None), a(38, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 20, fixed: false }, // 44
    Struct { ops: &[f(17, 82, None), a(38, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 21, fixed: false }, // 45
    Struct { ops: &[f(16, 46, None)], tags: &[], flexible: false, roles: 0, least: 16, fixed: true }, // 46
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(16, 6, None), a(46, N), b(N)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 30, fixed: false }, // 47
    Struct { ops: &[t(0, Topic), a(47, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 48
    Struct { ops: &[f(4, 0, Throttle), a(48, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 49
    Struct { ops: &[f(4, 0, Partition), f(20, 6, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 24, fixed: true }, // 50
    Struct { ops: &[t(0, Topic), a(50, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 51
    Struct { ops: &[f(17, 82, None), a(51, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 21, fixed: false }, // 52
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(24, 22, None), a(46, N), b(N)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 38, fixed: false }, // 53
    Struct { ops: &[t(0, Topic), a(53, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 54
    Struct { ops: &[f(4, 0, Throttle), a(54, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 55
    Struct { ops: &[f(4, 0, Partition)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 4, fixed: true }, // 56
    Struct { ops: &[t(0, Topic), a(56, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 57
    Struct { ops: &[f(25, 120, None), a(51, 0), a(57, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 33, fixed: false }, // 58
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 0, None), a(54, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 14, fixed: false }, // 59
    Struct { ops: &[f(25, 99, None), a(51, 0), a(57, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 33, fixed: false }, // 60
    Struct { ops: &[f(4, 0, Partition), f(24, 145, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 28, fixed: true }, // 61
    Struct { ops: &[t(0, Topic), a(61, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 62
    Struct { ops: &[f(25, 99, None), a(62, 0), a(57, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 33, fixed: false }, // 63
    Struct { ops: &[f(25, 99, None), a(62, 0), a(57, 0), t(0, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 35, fixed: false }, // 64
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(24, 22, None), a(46, N), f(4, 14, None), b(N)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 42, fixed: false }, // 65
    Struct { ops: &[t(0, Topic), a(65, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 66
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 0, None), a(66, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 14, fixed: false }, // 67
    Struct { ops: &[f(4, 0, Partition), f(28, 169, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 33, fixed: false }, // 68
    Struct { ops: &[t(C, Topic), a(68, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 69
    Struct { ops: &[t(C, Topic), a(56, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 70
    Struct { ops: &[f(25, 99, None), a(69, C), a(70, C), t(C, None)], tags: &[(0, t(C|N|D, None))], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 29, fixed: false }, // 71
    Struct { ops: &[f(12, 30, None)], tags: &[], flexible: true, roles: 0, least: 13, fixed: false }, // 72
    Struct { ops: &[f(16, 46, None)], tags: &[], flexible: true, roles: 0, least: 17, fixed: false }, // 73
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(24, 22, None), a(73, C|N), f(4, 14, None), b(C|N)], tags: &[(0, s(72)), (1, s(28)), (2, s(72))], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 37, fixed: false }, // 74
    Struct { ops: &[t(C, Topic), a(74, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 75
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 0, None), a(75, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 12, fixed: false }, // 76
    Struct { ops: &[f(16, 46, TopicId), a(68, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 77
    Struct { ops: &[f(16, 46, TopicId), a(56, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 78
    Struct { ops: &[f(25, 99, None), a(77, C), a(78, C), t(C, None)], tags: &[(0, t(C|N|D, None))], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 29, fixed: false }, // 79
    Struct { ops: &[f(16, 46, TopicId), a(74, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 80
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 0, None), a(80, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 12, fixed: false }, // 81
    Struct { ops: &[f(21, 103, None), a(77, C), a(78, C), t(C, None)], tags: &[(0, t(C|N|D, None)), (1, s(72))], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 25, fixed: false }, // 82
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 0, None), a(80, C)], tags: &[(0, a(31, C))], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 12, fixed: false }, // 83
    Struct { ops: &[f(4, 0, Partition), f(28, 169, None)], tags: &[(0, f(16, 46, None))], flexible: true, roles: R::Partition.bit(), least: 33, fixed: false }, // 84
    Struct { ops: &[f(16, 46, TopicId), a(84, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 85
    Struct { ops: &[f(21, 103, None), a(85, C), a(78, C), t(C, None)], tags: &[(0, t(C|N|D, None)), (1, s(72))], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 25, fixed: false }, // 86
    Struct { ops: &[f(4, 0, Partition), f(28, 169, None)], tags: &[(0, f(16, 46, None)), (1, f(8, 62, None))], flexible: true, roles: R::Partition.bit(), least: 33, fixed: false }, // 87
    Struct { ops: &[f(16, 46, TopicId), a(87, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 88
    Struct { ops: &[f(21, 103, None), a(88, C), a(78, C), t(C, None)], tags: &[(0, t(C|N|D, None)), (1, s(72))], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 25, fixed: false }, // 89
    Struct { ops: &[f(4, 0, Partition), f(12, 201, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 16, fixed: true }, // 90
    Struct { ops: &[t(0, Topic), a(90, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 91
    Struct { ops: &[f(4, 0, None), a(91, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 92
    Struct { ops: &[f(8, 0, None)], tags: &[], flexible: false, roles: 0, least: 8, fixed: true }, // 93
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), a(93, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 10, fixed: false }, // 94
    Struct { ops: &[t(0, Topic), a(94, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 95
    Struct { ops: &[a(95, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 96
    Struct { ops: &[f(4, 0, Partition), f(8, 0, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 12, fixed: true }, // 97
    Struct { ops: &[t(0, Topic), a(97, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 98
    Struct { ops: &[f(4, 0, None), a(98, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 99
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(16, 30, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 22, fixed: true }, // 100
    Struct { ops: &[t(0, Topic), a(100, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 101
    Struct { ops: &[a(101, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 102
    Struct { ops: &[f(5, 0, None), a(98, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 103
    Struct { ops: &[f(4, 0, Throttle), a(101, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 104
    Struct { ops: &[f(4, 0, Partition), f(12, 18, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 16, fixed: true }, // 105
    Struct { ops: &[t(0, Topic), a(105, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 106
    Struct { ops: &[f(5, 0, None), a(106, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 107
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(20, 213, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 26, fixed: true }, // 108
    Struct { ops: &[t(0, Topic), a(108, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 109
    Struct { ops: &[f(4, 0, Throttle), a(109, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 110
    Struct { ops: &[f(4, 0, Partition), f(12, 18, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 17, fixed: false }, // 111
    Struct { ops: &[t(C, Topic), a(111, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 112
    Struct { ops: &[f(5, 0, None), a(112, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 7, fixed: false }, // 113
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(20, 213, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 27, fixed: false }, // 114
    Struct { ops: &[t(C, Topic), a(114, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 115
    Struct { ops: &[f(4, 0, Throttle), a(115, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 116
    Struct { ops: &[f(5, 0, None), a(112, C), f(4, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 11, fixed: false }, // 117
    Struct { ops: &[t(0, Topic)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 2, fixed: false }, // 118
    Struct { ops: &[a(118, 0)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 4, fixed: false }, // 119
    Struct { ops: &[f(4, 0, Node), t(0, Host), f(4, 0, Port)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 10, fixed: false }, // 120
    Struct { ops: &[f(4, 0, None)], tags: &[], flexible: false, roles: 0, least: 4, fixed: true }, // 121
    Struct { ops: &[f(2, 0, Error), f(4, 0, Partition), f(4, 0, None), a(121, 0), a(121, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 18, fixed: false }, // 122
    Struct { ops: &[f(2, 0, Error), t(0, Topic), a(122, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 123
    Struct { ops: &[a(120, 0), a(123, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 8, fixed: false }, // 124
    Struct { ops: &[a(118, N)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 4, fixed: false }, // 125
    Struct { ops: &[f(4, 0, Node), t(0, Host), f(4, 0, Port), t(N|D, None)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 12, fixed: false }, // 126
    Struct { ops: &[f(2, 0, Error), t(0, Topic), f(1, 0, None), a(122, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 127
    Struct { ops: &[a(126, 0), f(4, 14, None), a(127, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 12, fixed: false }, // 128
    Struct { ops: &[a(126, 0), t(N|D, None), f(4, 14, None), a(127, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 14, fixed: false }, // 129
    Struct { ops: &[f(4, 0, Throttle), a(126, 0), t(N|D, None), f(4, 14, None), a(127, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit(), least: 18, fixed: false }, // 130
    Struct { ops: &[a(118, N), f(1, 200, None)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 5, fixed: false }, // 131
    Struct { ops: &[f(2, 0, Error), f(4, 0, Partition), f(4, 0, None), a(121, 0), a(121, 0), a(121, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 22, fixed: false }, // 132
    Struct { ops: &[f(2, 0, Error), t(0, Topic), f(1, 0, None), a(132, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 133
    Struct { ops: &[f(4, 0, Throttle), a(126, 0), t(N|D, None), f(4, 14, None), a(133, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit(), least: 18, fixed: false }, // 134
    Struct { ops: &[f(2, 0, Error), f(4, 0, Partition), f(8, 10, None), a(121, 0), a(121, 0), a(121, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 26, fixed: false }, // 135
    Struct { ops: &[f(2, 0, Error), t(0, Topic), f(1, 0, None), a(135, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 136
    Struct { ops: &[f(4, 0, Throttle), a(126, 0), t(N|D, None), f(4, 14, None), a(136, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit(), least: 18, fixed: false }, // 137
    Struct { ops: &[a(118, N), f(3, 200, None)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 7, fixed: false }, // 138
    Struct { ops: &[f(2, 0, Error), t(0, Topic), f(1, 0, None), a(135, 0), f(4, 233, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 13, fixed: false }, // 139
    Struct { ops: &[f(4, 0, Throttle), a(126, 0), t(N|D, None), f(4, 14, None), a(139, 0), f(4, 233, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit(), least: 22, fixed: false }, // 140
    Struct { ops: &[t(C, Topic)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 2, fixed: false }, // 141
    Struct { ops: &[a(141, C|N), f(3, 200, None)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 5, fixed: false }, // 142
    Struct { ops: &[f(2, 0, Error), f(4, 0, Partition), f(8, 10, None), a(121, C), a(121, C), a(121, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 18, fixed: false }, // 143
    Struct { ops: &[f(2, 0, Error), t(C, Topic), f(1, 0, None), a(143, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 10, fixed: false }, // 144
    Struct { ops: &[f(4, 0, Throttle), a(31, C), t(C|N|D, None), f(4, 14, None), a(144, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit(), least: 16, fixed: false }, // 145
    Struct { ops: &[f(16, 46, TopicId), t(C|N, Topic)], tags: &[], flexible: true, roles: R::Topic.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 146
    Struct { ops: &[a(146, C|N), f(3, 200, None)], tags: &[], flexible: true, roles: R::Topic.bit()|R::TopicId.bit(), least: 5, fixed: false }, // 147
    Struct { ops: &[f(2, 0, Error), t(C, Topic), f(16, 46, TopicId), f(1, 0, None), a(143, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 26, fixed: false }, // 148
    Struct { ops: &[f(4, 0, Throttle), a(31, C), t(C|N|D, None), f(4, 14, None), a(148, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 16, fixed: false }, // 149
    Struct { ops: &[a(146, C|N), f(2, 200, None)], tags: &[], flexible: true, roles: R::Topic.bit()|R::TopicId.bit(), least: 4, fixed: false }, // 150
    Struct { ops: &[f(4, 0, Throttle), a(31, C), t(C|N|D, None), f(4, 14, None), a(148, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 12, fixed: false }, // 151
    Struct { ops: &[f(2, 0, Error), t(C|N, Topic), f(16, 46, TopicId), f(1, 0, None), a(143, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 26, fixed: false }, // 152
    Struct { ops: &[f(4, 0, Throttle), a(31, C), t(C|N|D, None), f(4, 14, None), a(152, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 12, fixed: false }, // 153
    Struct { ops: &[f(4, 0, Throttle), a(31, C), t(C|N|D, None), f(4, 14, None), a(152, C), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 14, fixed: false }, // 154
    Struct { ops: &[t(0, Topic), f(4, 0, Partition), f(12, 0, None), a(121, 0), f(4, 0, None), a(121, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 30, fixed: false }, // 155
    Struct { ops: &[f(8, 0, None), a(155, 0), a(120, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 16, fixed: false }, // 156
    Struct { ops: &[t(0, Topic), f(4, 0, Partition), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 157
    Struct { ops: &[f(2, 0, Error), a(157, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 158
    Struct { ops: &[t(0, Topic), f(4, 0, Partition), f(12, 0, None), a(121, 0), f(4, 0, None), a(121, 0), f(1, 0, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 31, fixed: false }, // 159
    Struct { ops: &[f(8, 0, None), a(159, 0), a(120, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 16, fixed: false }, // 160
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None), a(121, 0), f(4, 0, None), a(121, 0), f(1, 0, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 29, fixed: false }, // 161
    Struct { ops: &[t(0, Topic), a(161, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 162
    Struct { ops: &[f(16, 6, None), a(162, 0), a(120, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 24, fixed: false }, // 163
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None), a(121, 0), f(4, 0, None), a(121, 0), a(121, 0), a(121, 0), f(1, 0, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 37, fixed: false }, // 164
    Struct { ops: &[t(0, Topic), a(164, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 165
    Struct { ops: &[f(16, 6, None), a(165, 0), a(120, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 24, fixed: false }, // 166
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None), a(121, C), f(4, 0, None), a(121, C), a(121, C), a(121, C), f(1, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 26, fixed: false }, // 167
    Struct { ops: &[t(C, Topic), a(167, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 168
    Struct { ops: &[f(4, 0, Node), t(C, Host), f(4, 0, Port)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 10, fixed: false }, // 169
    Struct { ops: &[f(16, 6, None), a(168, C), a(169, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 19, fixed: false }, // 170
    Struct { ops: &[t(C, Topic), f(4, 0, Partition), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 171
    Struct { ops: &[f(2, 0, Error), a(171, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 172
    Struct { ops: &[t(C, Topic), f(16, 46, TopicId), a(167, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 19, fixed: false }, // 173
    Struct { ops: &[f(17, 6, None), a(173, C), a(169, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit()|R::TopicId.bit(), least: 20, fixed: false }, // 174
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 7, fixed: false }, // 175
    Struct { ops: &[f(16, 46, TopicId), a(175, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 176
    Struct { ops: &[f(2, 0, Error), a(176, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::TopicId.bit(), least: 4, fixed: false }, // 177
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None), a(121, C), f(4, 0, None), a(121, C), a(121, C), a(121, C), f(2, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 27, fixed: false }, // 178
    Struct { ops: &[t(C, Topic), f(16, 46, TopicId), a(178, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 19, fixed: false }, // 179
    Struct { ops: &[f(17, 6, None), a(179, C), a(169, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit()|R::TopicId.bit(), least: 20, fixed: false }, // 180
    Struct { ops: &[f(18, 5, None), a(179, C), a(169, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit()|R::TopicId.bit(), least: 21, fixed: false }, // 181
    Struct { ops: &[t(0, Topic), f(4, 0, Partition)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 182
    Struct { ops: &[f(9, 0, None), a(182, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 13, fixed: false }, // 183
    Struct { ops: &[f(17, 6, None), a(57, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 21, fixed: false }, // 184
    Struct { ops: &[f(17, 6, None), a(70, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 19, fixed: false }, // 185
    Struct { ops: &[f(4, 0, Partition), f(5, 18, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 10, fixed: false }, // 186
    Struct { ops: &[t(C, Topic), a(186, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 187
    Struct { ops: &[f(16, 6, None), a(187, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 18, fixed: false }, // 188
    Struct { ops: &[f(17, 5, None), a(187, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 19, fixed: false }, // 189
    Struct { ops: &[f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit(), least: 2, fixed: true }, // 190
    Struct { ops: &[f(4, 0, Port), t(0, Host), f(2, 0, None)], tags: &[], flexible: false, roles: R::Host.bit()|R::Port.bit(), least: 8, fixed: false }, // 191
    Struct { ops: &[f(4, 0, Node), a(191, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 8, fixed: false }, // 192
    Struct { ops: &[f(8, 0, None), a(155, 0), a(192, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 16, fixed: false }, // 193
    Struct { ops: &[f(4, 0, Node), a(191, 0), t(N, None)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 10, fixed: false }, // 194
    Struct { ops: &[f(8, 0, None), a(155, 0), a(194, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 16, fixed: false }, // 195
    Struct { ops: &[f(4, 0, Port), t(0, Host), t(0, None), f(2, 0, None)], tags: &[], flexible: false, roles: R::Host.bit()|R::Port.bit(), least: 10, fixed: false }, // 196
    Struct { ops: &[f(4, 0, Node), a(196, 0), t(N, None)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 10, fixed: false }, // 197
    Struct { ops: &[f(8, 0, None), a(155, 0), a(197, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 16, fixed: false }, // 198
    Struct { ops: &[t(0, Topic), f(4, 0, Partition), f(12, 0, None), a(121, 0), f(4, 0, None), a(121, 0), a(121, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 34, fixed: false }, // 199
    Struct { ops: &[f(8, 0, None), a(199, 0), a(197, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 16, fixed: false }, // 200
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None), a(121, 0), f(4, 0, None), a(121, 0), a(121, 0)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 32, fixed: false }, // 201
    Struct { ops: &[t(0, Topic), a(201, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 202
    Struct { ops: &[f(16, 6, None), a(202, 0), a(197, 0)], tags: &[], flexible: false, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 24, fixed: false }, // 203
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None), a(121, C), f(4, 0, None), a(121, C), a(121, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 24, fixed: false }, // 204
    Struct { ops: &[t(C, Topic), a(204, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 205
    Struct { ops: &[f(4, 0, Port), t(C, Host), t(C, None), f(2, 0, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Port.bit(), least: 9, fixed: false }, // 206
    Struct { ops: &[f(4, 0, Node), a(206, C), t(C|N, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 7, fixed: false }, // 207
    Struct { ops: &[f(16, 6, None), a(205, C), a(207, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 19, fixed: false }, // 208
    Struct { ops: &[f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit(), least: 3, fixed: false }, // 209
    Struct { ops: &[t(C, Topic), f(16, 46, TopicId), a(204, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 19, fixed: false }, // 210
    Struct { ops: &[f(16, 6, None), a(210, C), a(207, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit()|R::TopicId.bit(), least: 19, fixed: false }, // 211
    Struct { ops: &[f(17, 5, None), a(210, C), a(207, C)], tags: &[(0, f(1, 0, None))], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit()|R::TopicId.bit(), least: 20, fixed: false }, // 212
    Struct { ops: &[f(2, 0, Error), a(182, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 213
    Struct { ops: &[f(12, 10, None)], tags: &[], flexible: false, roles: 0, least: 12, fixed: true }, // 214
    Struct { ops: &[f(12, 10, None)], tags: &[], flexible: true, roles: 0, least: 13, fixed: false }, // 215
    Struct { ops: &[t(C, Topic), f(4, 0, Partition)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 216
    Struct { ops: &[f(2, 0, Error), a(216, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 217
    Struct { ops: &[f(4, 0, Partition), f(8, 0, None), t(N, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 14, fixed: false }, // 218
    Struct { ops: &[t(0, Topic), a(218, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 219
    Struct { ops: &[t(0, Group), a(219, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 220
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 6, fixed: true }, // 221
    Struct { ops: &[t(0, Topic), a(221, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 222
    Struct { ops: &[a(222, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 223
    Struct { ops: &[f(4, 0, Partition), f(16, 6, None), t(N, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 22, fixed: false }, // 224
    Struct { ops: &[t(0, Topic), a(224, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 225
    Struct { ops: &[t(0, Group), f(4, 14, None), t(0, Member), a(225, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 12, fixed: false }, // 226
    Struct { ops: &[t(0, Group), f(4, 14, None), t(0, Member), f(8, 14, None), a(219, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 20, fixed: false }, // 227
    Struct { ops: &[f(4, 0, Throttle), a(222, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 228
    Struct { ops: &[t(0, Group), f(4, 14, None), t(0, Member), a(219, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 12, fixed: false }, // 229
    Struct { ops: &[f(4, 0, Partition), f(12, 6, None), t(N, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 18, fixed: false }, // 230
    Struct { ops: &[t(0, Topic), a(230, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 231
    Struct { ops: &[t(0, Group), f(4, 14, None), t(0, Member), a(231, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 12, fixed: false }, // 232
    Struct { ops: &[t(0, Group), f(4, 14, None), t(0, Member), t(N|D, Instance), a(231, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 14, fixed: false }, // 233
    Struct { ops: &[f(4, 0, Partition), f(12, 6, None), t(C|N, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 18, fixed: false }, // 234
    Struct { ops: &[t(C, Topic), a(234, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 235
    Struct { ops: &[t(C, Group), f(4, 14, None), t(C, Member), t(C|N|D, Instance), a(235, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 236
    Struct { ops: &[t(C, Topic), a(175, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 237
    Struct { ops: &[f(4, 0, Throttle), a(237, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 238
    Struct { ops: &[f(16, 46, TopicId), a(234, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 239
    Struct { ops: &[t(C, Group), f(4, 14, None), t(C, Member), t(C|N|D, Instance), a(239, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit()|R::Partition.bit()|R::TopicId.bit(), least: 9, fixed: false }, // 240
    Struct { ops: &[f(4, 0, Throttle), a(176, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 241
    Struct { ops: &[t(0, Group), a(57, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 242
    Struct { ops: &[f(4, 0, Partition), f(8, 0, None), t(N, None), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 16, fixed: false }, // 243
    Struct { ops: &[t(0, Topic), a(243, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 244
    Struct { ops: &[a(244, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 245
    Struct { ops: &[t(0, Group), a(57, N)], tags: &[], flexible: false, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 246
    Struct { ops: &[a(244, 0), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 247
    Struct { ops: &[f(4, 0, Throttle), a(244, 0), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 10, fixed: false }, // 248
    Struct { ops: &[f(4, 0, Partition), f(12, 6, None), t(N, None), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 20, fixed: false }, // 249
    Struct { ops: &[t(0, Topic), a(249, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 250
    Struct { ops: &[f(4, 0, Throttle), a(250, 0), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 10, fixed: false }, // 251
    Struct { ops: &[t(C, Group), a(70, C|N)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 252
    Struct { ops: &[f(4, 0, Partition), f(12, 6, None), t(C|N, None), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 20, fixed: false }, // 253
    Struct { ops: &[t(C, Topic), a(253, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 254
    Struct { ops: &[f(4, 0, Throttle), a(254, C), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 255
    Struct { ops: &[t(C, Group), a(70, C|N), f(1, 0, None)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 256
    Struct { ops: &[a(252, C), f(1, 0, None)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 257
    Struct { ops: &[t(C, Group), a(254, C), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 5, fixed: false }, // 258
    Struct { ops: &[f(4, 0, Throttle), a(258, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 259
    Struct { ops: &[t(C, Group), t(C|N|D, Member), f(4, 14, None), a(70, C|N)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 260
    Struct { ops: &[a(260, C), f(1, 0, None)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 261
    Struct { ops: &[t(C, Group), t(C|N|D, Member), f(4, 14, None), a(78, C|N)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::TopicId.bit(), least: 8, fixed: false }, // 262
    Struct { ops: &[a(262, C), f(1, 0, None)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::TopicId.bit(), least: 3, fixed: false }, // 263
    Struct { ops: &[f(16, 46, TopicId), a(253, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 264
    Struct { ops: &[t(C, Group), a(264, C), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Partition.bit()|R::TopicId.bit(), least: 5, fixed: false }, // 265
    Struct { ops: &[f(4, 0, Throttle), a(265, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Partition.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 266
    Struct { ops: &[t(0, Key)], tags: &[], flexible: false, roles: R::Key.bit(), least: 2, fixed: false }, // 267
    Struct { ops: &[f(2, 0, Error), f(4, 0, Node), t(0, Host), f(4, 0, Port)], tags: &[], flexible: false, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 12, fixed: false }, // 268
    Struct { ops: &[t(0, Key), f(1, 0, KeyType)], tags: &[], flexible: false, roles: R::Key.bit()|R::KeyType.bit(), least: 3, fixed: false }, // 269
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(N, ErrorMessage), f(4, 0, Node), t(0, Host), f(4, 0, Port)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Port.bit()|R::Throttle.bit(), least: 18, fixed: false }, // 270
    Struct { ops: &[t(C, Key), f(1, 0, KeyType)], tags: &[], flexible: true, roles: R::Key.bit()|R::KeyType.bit(), least: 3, fixed: false }, // 271
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N, ErrorMessage), f(4, 0, Node), t(C, Host), f(4, 0, Port)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Port.bit()|R::Throttle.bit(), least: 17, fixed: false }, // 272
    Struct { ops: &[t(C, Key)], tags: &[], flexible: false, roles: R::Key.bit(), least: 1, fixed: false }, // 273
    Struct { ops: &[f(1, 0, KeyType), a(273, C)], tags: &[], flexible: true, roles: R::Key.bit()|R::KeyType.bit(), least: 3, fixed: false }, // 274
    Struct { ops: &[t(C, Key), f(4, 0, Node), t(C, Host), f(4, 0, Port), f(2, 0, Error), t(C|N, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Key.bit()|R::Node.bit()|R::Port.bit(), least: 14, fixed: false }, // 275
    Struct { ops: &[f(4, 0, Throttle), a(275, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Key.bit()|R::Node.bit()|R::Port.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 276
    Struct { ops: &[t(0, None), b(0)], tags: &[], flexible: false, roles: 0, least: 6, fixed: false }, // 277
    Struct { ops: &[t(0, Group), f(4, 0, None), t(0, Member), t(0, None), a(277, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit(), least: 14, fixed: false }, // 278
    Struct { ops: &[t(0, Member), b(0)], tags: &[], flexible: false, roles: R::Member.bit(), least: 6, fixed: false }, // 279
    Struct { ops: &[f(2, 0, Error), f(4, 14, None), t(0, None), t(0, None), t(0, Member), a(279, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Member.bit(), least: 16, fixed: false }, // 280
    Struct { ops: &[t(0, Group), f(8, 10, None), t(0, Member), t(0, None), a(277, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit(), least: 18, fixed: false }, // 281
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 14, None), t(0, None), t(0, None), t(0, Member), a(279, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Member.bit()|R::Throttle.bit(), least: 20, fixed: false }, // 282
    Struct { ops: &[t(0, Group), f(8, 10, None), t(0, Member), t(N|D, Instance), t(0, None), a(277, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 20, fixed: false }, // 283
    Struct { ops: &[t(0, Member), t(N|D, Instance), b(0)], tags: &[], flexible: false, roles: R::Instance.bit()|R::Member.bit(), least: 8, fixed: false }, // 284
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 14, None), t(0, None), t(0, None), t(0, Member), a(284, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 20, fixed: false }, // 285
    Struct { ops: &[t(C, None), b(C)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 286
    Struct { ops: &[t(C, Group), f(8, 10, None), t(C, Member), t(C|N|D, Instance), t(C, None), a(286, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 14, fixed: false }, // 287
    Struct { ops: &[t(C, Member), t(C|N|D, Instance), b(C)], tags: &[], flexible: true, roles: R::Instance.bit()|R::Member.bit(), least: 4, fixed: false }, // 288
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 14, None), t(C, None), t(C, None), t(C, Member), a(288, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 15, fixed: false }, // 289
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 14, None), t(C|N|D, None), t(C|N, None), t(C, None), t(C, Member), a(288, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 16, fixed: false }, // 290
    Struct { ops: &[t(C, Group), f(8, 10, None), t(C, Member), t(C|N|D, Instance), t(C, None), a(286, C), t(C|N|D, None)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 15, fixed: false }, // 291
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(4, 14, None), t(C|N|D, None), t(C|N, None), t(C, None), f(1, 0, None), t(C, Member), a(288, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 17, fixed: false }, // 292
    Struct { ops: &[t(0, Group), f(4, 0, None), t(0, Member)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit(), least: 8, fixed: false }, // 293
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit(), least: 6, fixed: true }, // 294
    Struct { ops: &[t(0, Group), f(4, 0, None), t(0, Member), t(N|D, Instance)], tags: &[], flexible: false, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 10, fixed: false }, // 295
    Struct { ops: &[t(C, Group), f(4, 0, None), t(C, Member), t(C|N|D, Instance)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 8, fixed: false }, // 296
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 7, fixed: false }, // 297
    Struct { ops: &[t(0, Group), t(0, Member)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit(), least: 4, fixed: false }, // 298
    Struct { ops: &[t(0, Member), t(N|D, Instance)], tags: &[], flexible: false, roles: R::Instance.bit()|R::Member.bit(), least: 4, fixed: false }, // 299
    Struct { ops: &[t(0, Group), a(299, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 6, fixed: false }, // 300
    Struct { ops: &[t(0, Member), t(N, Instance), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Instance.bit()|R::Member.bit(), least: 6, fixed: false }, // 301
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(301, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 10, fixed: false }, // 302
    Struct { ops: &[t(C, Member), t(C|N|D, Instance)], tags: &[], flexible: true, roles: R::Instance.bit()|R::Member.bit(), least: 3, fixed: false }, // 303
    Struct { ops: &[t(C, Group), a(303, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 3, fixed: false }, // 304
    Struct { ops: &[t(C, Member), t(C|N, Instance), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Instance.bit()|R::Member.bit(), least: 5, fixed: false }, // 305
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(305, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 306
    Struct { ops: &[t(C, Member), t(C|N|D, Instance), t(C|N|D, None)], tags: &[], flexible: true, roles: R::Instance.bit()|R::Member.bit(), least: 4, fixed: false }, // 307
    Struct { ops: &[t(C, Group), a(307, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 3, fixed: false }, // 308
    Struct { ops: &[t(0, Group), f(4, 0, None), t(0, Member), a(279, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Member.bit(), least: 12, fixed: false }, // 309
    Struct { ops: &[f(2, 0, Error), b(0)], tags: &[], flexible: false, roles: R::Error.bit(), least: 6, fixed: false }, // 310
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), b(0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit(), least: 10, fixed: false }, // 311
    Struct { ops: &[t(0, Group), f(4, 0, None), t(0, Member), t(N|D, Instance), a(279, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 14, fixed: false }, // 312
    Struct { ops: &[t(C, Member), b(C)], tags: &[], flexible: true, roles: R::Member.bit(), least: 3, fixed: false }, // 313
    Struct { ops: &[t(C, Group), f(4, 0, None), t(C, Member), t(C|N|D, Instance), a(313, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 9, fixed: false }, // 314
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), b(C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 315
    Struct { ops: &[t(C, Group), f(4, 0, None), t(C, Member), t(C|N|D, Instance), t(C|N|D, None), t(C|N|D, None), a(313, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 11, fixed: false }, // 316
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, None), t(C|N|D, None), b(C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 10, fixed: false }, // 317
    Struct { ops: &[t(0, Group)], tags: &[], flexible: false, roles: R::Group.bit(), least: 2, fixed: false }, // 318
    Struct { ops: &[a(318, 0)], tags: &[], flexible: false, roles: R::Group.bit(), least: 4, fixed: false }, // 319
    Struct { ops: &[t(0, Member), t(0, None), t(0, None), b(0), b(0)], tags: &[], flexible: false, roles: R::Member.bit(), least: 14, fixed: false }, // 320
    Struct { ops: &[f(2, 0, Error), t(0, Group), t(0, None), t(0, None), t(0, None), a(320, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Member.bit(), least: 14, fixed: false }, // 321
    Struct { ops: &[a(321, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Member.bit(), least: 4, fixed: false }, // 322
    Struct { ops: &[f(4, 0, Throttle), a(321, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Member.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 323
    Struct { ops: &[a(318, 0), f(1, 0, None)], tags: &[], flexible: false, roles: R::Group.bit(), least: 5, fixed: false }, // 324
    Struct { ops: &[f(2, 0, Error), t(0, Group), t(0, None), t(0, None), t(0, None), a(320, 0), f(4, 233, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Member.bit(), least: 18, fixed: false }, // 325
    Struct { ops: &[f(4, 0, Throttle), a(325, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Member.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 326
    Struct { ops: &[t(0, Member), t(N|D, Instance), t(0, None), t(0, None), b(0), b(0)], tags: &[], flexible: false, roles: R::Instance.bit()|R::Member.bit(), least: 16, fixed: false }, // 327
    Struct { ops: &[f(2, 0, Error), t(0, Group), t(0, None), t(0, None), t(0, None), a(327, 0), f(4, 233, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 18, fixed: false }, // 328
    Struct { ops: &[f(4, 0, Throttle), a(328, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 329
    Struct { ops: &[t(C, Group)], tags: &[], flexible: false, roles: R::Group.bit(), least: 1, fixed: false }, // 330
    Struct { ops: &[a(330, C), f(1, 0, None)], tags: &[], flexible: true, roles: R::Group.bit(), least: 3, fixed: false }, // 331
    Struct { ops: &[t(C, Member), t(C|N|D, Instance), t(C, None), t(C, None), b(C), b(C)], tags: &[], flexible: true, roles: R::Instance.bit()|R::Member.bit(), least: 7, fixed: false }, // 332
    Struct { ops: &[f(2, 0, Error), t(C, Group), t(C, None), t(C, None), t(C, None), a(332, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 12, fixed: false }, // 333
    Struct { ops: &[f(4, 0, Throttle), a(333, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 334
    Struct { ops: &[f(2, 0, Error), t(C|N|D, ErrorMessage), t(C, Group), t(C, None), t(C, None), t(C, None), a(332, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Instance.bit()|R::Member.bit(), least: 13, fixed: false }, // 335
    Struct { ops: &[f(4, 0, Throttle), a(335, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Instance.bit()|R::Member.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 336
    Struct { ops: &[], tags: &[], flexible: false, roles: 0, least: 0, fixed: true }, // 337
    Struct { ops: &[t(0, Group), t(0, None)], tags: &[], flexible: false, roles: R::Group.bit(), least: 4, fixed: false }, // 338
    Struct { ops: &[f(2, 0, Error), a(338, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit(), least: 6, fixed: false }, // 339
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(338, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Throttle.bit(), least: 10, fixed: false }, // 340
    Struct { ops: &[], tags: &[], flexible: true, roles: 0, least: 1, fixed: false }, // 341
    Struct { ops: &[t(C, Group), t(C, None)], tags: &[], flexible: true, roles: R::Group.bit(), least: 3, fixed: false }, // 342
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(342, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 343
    Struct { ops: &[t(C, None)], tags: &[], flexible: false, roles: 0, least: 1, fixed: false }, // 344
    Struct { ops: &[a(344, C)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 345
    Struct { ops: &[t(C, Group), t(C, None), t(C, None)], tags: &[], flexible: true, roles: R::Group.bit(), least: 4, fixed: false }, // 346
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(346, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 347
    Struct { ops: &[a(344, C), a(344, C)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 348
    Struct { ops: &[t(C, Group), t(C, None), t(C, None), t(C, None)], tags: &[], flexible: true, roles: R::Group.bit(), least: 5, fixed: false }, // 349
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(349, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 350
    Struct { ops: &[t(0, Mechanism)], tags: &[], flexible: false, roles: R::Mechanism.bit(), least: 2, fixed: false }, // 351
    Struct { ops: &[t(0, None)], tags: &[], flexible: false, roles: 0, least: 2, fixed: false }, // 352
    Struct { ops: &[f(2, 0, Error), a(352, 0)], tags: &[], flexible: false, roles: R::Error.bit(), least: 6, fixed: false }, // 353
    Struct { ops: &[f(6, 0, None)], tags: &[], flexible: false, roles: 0, least: 6, fixed: true }, // 354
    Struct { ops: &[f(2, 0, Error), a(354, 0)], tags: &[], flexible: false, roles: R::Error.bit(), least: 6, fixed: false }, // 355
    Struct { ops: &[f(2, 0, Error), a(354, 0), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit(), least: 10, fixed: false }, // 356
    Struct { ops: &[t(C, SoftwareName), t(C, SoftwareVersion)], tags: &[], flexible: true, roles: R::SoftwareName.bit()|R::SoftwareVersion.bit(), least: 3, fixed: false }, // 357
    Struct { ops: &[f(6, 0, None)], tags: &[], flexible: true, roles: 0, least: 7, fixed: false }, // 358
    Struct { ops: &[t(C, None), f(4, 0, None)], tags: &[], flexible: true, roles: 0, least: 6, fixed: false }, // 359
    Struct { ops: &[f(2, 0, Error), a(358, C), f(4, 0, Throttle)], tags: &[(0, a(359, C)), (1, f(8, 14, None)), (2, a(359, C)), (3, f(1, 0, None))], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 360
    Struct { ops: &[f(4, 0, Partition), a(121, 0)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 8, fixed: false }, // 361
    Struct { ops: &[t(0, None), t(N, None)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 362
    Struct { ops: &[t(0, Topic), f(6, 0, None), a(361, 0), a(362, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 16, fixed: false }, // 363
    Struct { ops: &[a(363, 0), f(4, 237, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 364
    Struct { ops: &[t(0, Topic), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Topic.bit(), least: 4, fixed: false }, // 365
    Struct { ops: &[a(365, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Topic.bit(), least: 4, fixed: false }, // 366
    Struct { ops: &[a(363, 0), f(5, 241, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 367
    Struct { ops: &[t(0, Topic), f(2, 0, Error), t(N, ErrorMessage)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Topic.bit(), least: 6, fixed: false }, // 368
    Struct { ops: &[a(368, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Topic.bit(), least: 4, fixed: false }, // 369
    Struct { ops: &[a(363, 0), f(5, 237, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 370
    Struct { ops: &[f(4, 0, Throttle), a(368, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 371
    Struct { ops: &[f(4, 0, Partition), a(121, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 6, fixed: false }, // 372
    Struct { ops: &[t(C, None), t(C|N, None)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 373
    Struct { ops: &[t(C, Topic), f(6, 0, None), a(372, C), a(373, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 10, fixed: false }, // 374
    Struct { ops: &[a(374, C), f(5, 237, None)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 7, fixed: false }, // 375
    Struct { ops: &[t(C, None), t(C|N, None), f(3, 246, None)], tags: &[], flexible: true, roles: 0, least: 6, fixed: false }, // 376
    Struct { ops: &[t(C, Topic), f(2, 0, Error), t(C|N, ErrorMessage), f(6, 14, None), a(376, C|N)], tags: &[(0, f(2, 0, Error))], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Topic.bit(), least: 12, fixed: false }, // 377
    Struct { ops: &[f(4, 0, Throttle), a(377, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 378
    Struct { ops: &[t(C, Topic), f(16, 46, TopicId), f(2, 0, Error), t(C|N, ErrorMessage), f(6, 14, None), a(376, C|N)], tags: &[(0, f(2, 0, Error))], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Topic.bit()|R::TopicId.bit(), least: 28, fixed: false }, // 379
    Struct { ops: &[f(4, 0, Throttle), a(379, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 380
    Struct { ops: &[a(118, 0), f(4, 0, None)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 8, fixed: false }, // 381
    Struct { ops: &[f(4, 0, Throttle), a(365, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 382
    Struct { ops: &[t(C, Topic)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 1, fixed: false }, // 383
    Struct { ops: &[a(383, C), f(4, 0, None)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 6, fixed: false }, // 384
    Struct { ops: &[t(C, Topic), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Topic.bit(), least: 4, fixed: false }, // 385
    Struct { ops: &[f(4, 0, Throttle), a(385, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 386
    Struct { ops: &[t(C, Topic), f(2, 0, Error), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Topic.bit(), least: 5, fixed: false }, // 387
    Struct { ops: &[f(4, 0, Throttle), a(387, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 388
    Struct { ops: &[t(C|N|D, Topic), f(16, 46, TopicId)], tags: &[], flexible: true, roles: R::Topic.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 389
    Struct { ops: &[a(389, C), f(4, 0, None)], tags: &[], flexible: true, roles: R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 390
    Struct { ops: &[t(C|N, Topic), f(16, 46, TopicId), f(2, 0, Error), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Topic.bit()|R::TopicId.bit(), least: 21, fixed: false }, // 391
    Struct { ops: &[f(4, 0, Throttle), a(391, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 392
    Struct { ops: &[a(98, 0), f(4, 0, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 393
    Struct { ops: &[f(4, 0, Partition), f(8, 0, None), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 14, fixed: true }, // 394
    Struct { ops: &[t(0, Topic), a(394, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 395
    Struct { ops: &[f(4, 0, Throttle), a(395, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 396
    Struct { ops: &[f(4, 0, Partition), f(8, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 13, fixed: false }, // 397
    Struct { ops: &[t(C, Topic), a(397, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 398
    Struct { ops: &[a(398, C), f(4, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 399
    Struct { ops: &[f(4, 0, Partition), f(8, 0, None), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 15, fixed: false }, // 400
    Struct { ops: &[t(C, Topic), a(400, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 401
    Struct { ops: &[f(4, 0, Throttle), a(401, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 402
    Struct { ops: &[t(N, Transactional), f(4, 0, None)], tags: &[], flexible: false, roles: R::Transactional.bit(), least: 6, fixed: false }, // 403
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(10, 14, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit(), least: 16, fixed: true }, // 404
    Struct { ops: &[t(C|N, Transactional), f(4, 0, None)], tags: &[], flexible: true, roles: R::Transactional.bit(), least: 6, fixed: false }, // 405
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(10, 14, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 17, fixed: false }, // 406
    Struct { ops: &[t(C|N, Transactional), f(14, 26, None)], tags: &[], flexible: true, roles: R::Transactional.bit(), least: 16, fixed: false }, // 407
    Struct { ops: &[t(C|N, Transactional), f(16, 264, None)], tags: &[], flexible: true, roles: R::Transactional.bit(), least: 18, fixed: false }, // 408
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(20, 298, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 27, fixed: false }, // 409
    Struct { ops: &[f(4, 0, Partition), f(4, 0, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 8, fixed: true }, // 410
    Struct { ops: &[t(0, Topic), a(410, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 411
    Struct { ops: &[a(411, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 412
    Struct { ops: &[f(2, 0, Error), f(4, 0, Partition), f(8, 14, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 14, fixed: true }, // 413
    Struct { ops: &[t(0, Topic), a(413, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 414
    Struct { ops: &[a(414, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 415
    Struct { ops: &[f(2, 0, Error), f(4, 0, Partition), f(12, 30, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit(), least: 18, fixed: true }, // 416
    Struct { ops: &[t(0, Topic), a(416, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 417
    Struct { ops: &[a(417, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 418
    Struct { ops: &[f(4, 0, Partition), f(8, 18, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 12, fixed: true }, // 419
    Struct { ops: &[t(0, Topic), a(419, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 420
    Struct { ops: &[a(420, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 421
    Struct { ops: &[f(4, 0, Throttle), a(417, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 422
    Struct { ops: &[f(4, 318, None), a(420, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 423
    Struct { ops: &[f(4, 0, Partition), f(8, 18, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 13, fixed: false }, // 424
    Struct { ops: &[t(C, Topic), a(424, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 425
    Struct { ops: &[f(4, 318, None), a(425, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 426
    Struct { ops: &[f(2, 0, Error), f(4, 0, Partition), f(12, 30, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 19, fixed: false }, // 427
    Struct { ops: &[t(C, Topic), a(427, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 428
    Struct { ops: &[f(4, 0, Throttle), a(428, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 429
    Struct { ops: &[t(0, Transactional), f(10, 0, None), a(57, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 16, fixed: false }, // 430
    Struct { ops: &[t(C, Transactional), f(10, 0, None), a(70, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 13, fixed: false }, // 431
    Struct { ops: &[t(C, Transactional), f(11, 0, None), a(70, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 14, fixed: false }, // 432
    Struct { ops: &[a(432, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 2, fixed: false }, // 433
    Struct { ops: &[t(C, Transactional), a(237, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 3, fixed: false }, // 434
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(434, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::Transactional.bit(), least: 8, fixed: false }, // 435
    Struct { ops: &[t(0, Transactional), f(10, 0, None), t(0, Group)], tags: &[], flexible: false, roles: R::Group.bit()|R::Transactional.bit(), least: 14, fixed: false }, // 436
    Struct { ops: &[t(C, Transactional), f(10, 0, None), t(C, Group)], tags: &[], flexible: true, roles: R::Group.bit()|R::Transactional.bit(), least: 13, fixed: false }, // 437
    Struct { ops: &[t(0, Transactional), f(11, 0, None)], tags: &[], flexible: false, roles: R::Transactional.bit(), least: 13, fixed: false }, // 438
    Struct { ops: &[t(C, Transactional), f(11, 0, None)], tags: &[], flexible: true, roles: R::Transactional.bit(), least: 13, fixed: false }, // 439
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(10, 30, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 17, fixed: false }, // 440
    Struct { ops: &[f(11, 0, None), a(57, 0), f(4, 0, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 19, fixed: false }, // 441
    Struct { ops: &[a(441, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 442
    Struct { ops: &[f(8, 0, None), a(222, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 12, fixed: false }, // 443
    Struct { ops: &[a(443, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 444
    Struct { ops: &[f(11, 0, None), a(70, C), f(4, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 17, fixed: false }, // 445
    Struct { ops: &[a(445, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 2, fixed: false }, // 446
    Struct { ops: &[f(8, 0, None), a(237, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 10, fixed: false }, // 447
    Struct { ops: &[a(447, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 2, fixed: false }, // 448
    Struct { ops: &[f(11, 0, None), a(70, C), f(5, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 18, fixed: false }, // 449
    Struct { ops: &[a(449, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 2, fixed: false }, // 450
    Struct { ops: &[t(0, Transactional), t(0, Group), f(10, 0, None), a(219, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 18, fixed: false }, // 451
    Struct { ops: &[t(0, Transactional), t(0, Group), f(10, 0, None), a(231, 0)], tags: &[], flexible: false, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 18, fixed: false }, // 452
    Struct { ops: &[t(C, Transactional), t(C, Group), f(14, 4, None), t(C, Member), t(C|N|D, Instance), a(235, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Instance.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 20, fixed: false }, // 453
    Struct { ops: &[f(1, 0, None), t(N, None), t(N, None), t(N, None), f(2, 0, None)], tags: &[], flexible: false, roles: 0, least: 9, fixed: false }, // 454
    Struct { ops: &[t(0, None), t(0, None), f(2, 0, None)], tags: &[], flexible: false, roles: 0, least: 6, fixed: false }, // 455
    Struct { ops: &[f(1, 0, None), t(0, None), a(455, 0)], tags: &[], flexible: false, roles: 0, least: 7, fixed: false }, // 456
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(N, ErrorMessage), a(456, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 12, fixed: false }, // 457
    Struct { ops: &[f(1, 0, None), t(N, None), f(1, 322, None), t(N, None), t(N, None), f(2, 0, None)], tags: &[], flexible: false, roles: 0, least: 10, fixed: false }, // 458
    Struct { ops: &[f(1, 0, None), t(0, None), f(1, 322, None), a(455, 0)], tags: &[], flexible: false, roles: 0, least: 8, fixed: false }, // 459
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(N, ErrorMessage), a(459, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 12, fixed: false }, // 460
    Struct { ops: &[f(1, 0, None), t(C|N, None), f(1, 322, None), t(C|N, None), t(C|N, None), f(2, 0, None)], tags: &[], flexible: true, roles: 0, least: 8, fixed: false }, // 461
    Struct { ops: &[t(C, None), t(C, None), f(2, 0, None)], tags: &[], flexible: true, roles: 0, least: 5, fixed: false }, // 462
    Struct { ops: &[f(1, 0, None), t(C, None), f(1, 322, None), a(462, C)], tags: &[], flexible: true, roles: 0, least: 5, fixed: false }, // 463
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N, ErrorMessage), a(463, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 9, fixed: false }, // 464
    Struct { ops: &[f(1, 0, None), t(0, None), t(0, None), t(0, None), f(2, 0, None)], tags: &[], flexible: false, roles: 0, least: 9, fixed: false }, // 465
    Struct { ops: &[a(465, 0)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 466
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 4, fixed: false }, // 467
    Struct { ops: &[f(4, 0, Throttle), a(467, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 468
    Struct { ops: &[f(1, 0, None), t(0, None), f(1, 322, None), t(0, None), t(0, None), f(2, 0, None)], tags: &[], flexible: false, roles: 0, least: 10, fixed: false }, // 469
    Struct { ops: &[a(469, 0)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 470
    Struct { ops: &[f(1, 0, None), t(C, None), f(1, 322, None), t(C, None), t(C, None), f(2, 0, None)], tags: &[], flexible: true, roles: 0, least: 8, fixed: false }, // 471
    Struct { ops: &[a(471, C)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 472
    Struct { ops: &[f(2, 0, Error), t(C|N, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 4, fixed: false }, // 473
    Struct { ops: &[f(4, 0, Throttle), a(473, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 474
    Struct { ops: &[a(454, 0)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 475
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), f(1, 0, None), t(0, None), t(0, None), t(0, None), f(2, 0, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 13, fixed: false }, // 476
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), a(476, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 8, fixed: false }, // 477
    Struct { ops: &[f(4, 0, Throttle), a(477, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 478
    Struct { ops: &[a(458, 0)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 479
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), f(1, 0, None), t(0, None), f(1, 322, None), t(0, None), t(0, None), f(2, 0, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 14, fixed: false }, // 480
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), a(480, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 8, fixed: false }, // 481
    Struct { ops: &[f(4, 0, Throttle), a(481, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 482
    Struct { ops: &[a(461, C)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 483
    Struct { ops: &[f(2, 0, Error), t(C|N, ErrorMessage), f(1, 0, None), t(C, None), f(1, 322, None), t(C, None), t(C, None), f(2, 0, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 11, fixed: false }, // 484
    Struct { ops: &[f(2, 0, Error), t(C|N, ErrorMessage), a(484, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 5, fixed: false }, // 485
    Struct { ops: &[f(4, 0, Throttle), a(485, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 486
    Struct { ops: &[f(1, 0, ResourceType), t(0, ResourceName), a(352, N)], tags: &[], flexible: false, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 7, fixed: false }, // 487
    Struct { ops: &[a(487, 0)], tags: &[], flexible: false, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 4, fixed: false }, // 488
    Struct { ops: &[t(0, None), t(N, None), f(3, 0, None)], tags: &[], flexible: false, roles: 0, least: 7, fixed: false }, // 489
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), f(1, 0, ResourceType), t(0, ResourceName), a(489, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit(), least: 11, fixed: false }, // 490
    Struct { ops: &[f(4, 0, Throttle), a(490, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 491
    Struct { ops: &[a(487, 0), f(1, 0, None)], tags: &[], flexible: false, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 5, fixed: false }, // 492
    Struct { ops: &[t(0, None), t(N, None), f(1, 0, None)], tags: &[], flexible: false, roles: 0, least: 5, fixed: false }, // 493
    Struct { ops: &[t(0, None), t(N, None), f(3, 246, None), a(493, 0)], tags: &[], flexible: false, roles: 0, least: 11, fixed: false }, // 494
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), f(1, 0, ResourceType), t(0, ResourceName), a(494, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit(), least: 11, fixed: false }, // 495
    Struct { ops: &[f(4, 0, Throttle), a(495, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 496
    Struct { ops: &[a(487, 0), f(2, 0, None)], tags: &[], flexible: false, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 6, fixed: false }, // 497
    Struct { ops: &[t(0, None), t(N, None), f(3, 246, None), a(493, 0), f(1, 0, None), t(N, None)], tags: &[], flexible: false, roles: 0, least: 14, fixed: false }, // 498
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), f(1, 0, ResourceType), t(0, ResourceName), a(498, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit(), least: 11, fixed: false }, // 499
    Struct { ops: &[f(4, 0, Throttle), a(499, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 500
    Struct { ops: &[f(1, 0, ResourceType), t(C, ResourceName), a(344, C|N)], tags: &[], flexible: true, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 4, fixed: false }, // 501
    Struct { ops: &[a(501, C), f(2, 0, None)], tags: &[], flexible: true, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 4, fixed: false }, // 502
    Struct { ops: &[t(C, None), t(C|N, None), f(1, 0, None)], tags: &[], flexible: true, roles: 0, least: 4, fixed: false }, // 503
    Struct { ops: &[t(C, None), t(C|N, None), f(3, 246, None), a(503, C), f(1, 0, None), t(C|N, None)], tags: &[], flexible: true, roles: 0, least: 9, fixed: false }, // 504
    Struct { ops: &[f(2, 0, Error), t(C|N, ErrorMessage), f(1, 0, ResourceType), t(C, ResourceName), a(504, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit(), least: 7, fixed: false }, // 505
    Struct { ops: &[f(4, 0, Throttle), a(505, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 506
    Struct { ops: &[f(1, 0, ResourceType), t(0, ResourceName), a(362, 0)], tags: &[], flexible: false, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 7, fixed: false }, // 507
    Struct { ops: &[a(507, 0), f(1, 0, None)], tags: &[], flexible: false, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 5, fixed: false }, // 508
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), f(1, 0, ResourceType), t(0, ResourceName)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit(), least: 7, fixed: false }, // 509
    Struct { ops: &[f(4, 0, Throttle), a(509, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 510
    Struct { ops: &[f(1, 0, ResourceType), t(C, ResourceName), a(373, C)], tags: &[], flexible: true, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 4, fixed: false }, // 511
    Struct { ops: &[a(511, C), f(1, 0, None)], tags: &[], flexible: true, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 3, fixed: false }, // 512
    Struct { ops: &[f(2, 0, Error), t(C|N, ErrorMessage), f(1, 0, ResourceType), t(C, ResourceName)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit(), least: 6, fixed: false }, // 513
    Struct { ops: &[f(4, 0, Throttle), a(513, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::ResourceName.bit()|R::ResourceType.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 514
    Struct { ops: &[t(0, None), a(57, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 515
    Struct { ops: &[a(515, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 516
    Struct { ops: &[t(C, None), a(70, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 517
    Struct { ops: &[a(517, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 2, fixed: false }, // 518
    Struct { ops: &[a(57, N)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 519
    Struct { ops: &[f(4, 0, Partition), f(17, 323, None)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 21, fixed: true }, // 520
    Struct { ops: &[t(0, Topic), a(520, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 521
    Struct { ops: &[f(2, 0, Error), t(0, None), a(521, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 522
    Struct { ops: &[f(4, 0, Throttle), a(522, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 523
    Struct { ops: &[a(70, C|N)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 2, fixed: false }, // 524
    Struct { ops: &[f(4, 0, Partition), f(17, 323, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 22, fixed: false }, // 525
    Struct { ops: &[t(C, Topic), a(525, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 526
    Struct { ops: &[f(2, 0, Error), t(C, None), a(526, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 5, fixed: false }, // 527
    Struct { ops: &[f(4, 0, Throttle), a(527, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 528
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(527, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 529
    Struct { ops: &[f(2, 0, Error), t(C, None), a(526, C), f(16, 30, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 21, fixed: false }, // 530
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(530, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 531
    Struct { ops: &[f(2, 0, Error), t(C, None), a(526, C), f(17, 30, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 22, fixed: false }, // 532
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(532, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 533
    Struct { ops: &[b(0)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 534
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), b(0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 8, fixed: false }, // 535
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), b(0), f(8, 0, None)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 16, fixed: false }, // 536
    Struct { ops: &[b(C)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 537
    Struct { ops: &[f(2, 0, Error), t(C|N, ErrorMessage), b(C), f(8, 0, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 13, fixed: false }, // 538
    Struct { ops: &[a(121, 0)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 539
    Struct { ops: &[t(0, Topic), f(4, 0, None), a(539, N)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 10, fixed: false }, // 540
    Struct { ops: &[a(540, 0), f(5, 0, None)], tags: &[], flexible: false, roles: R::Topic.bit(), least: 9, fixed: false }, // 541
    Struct { ops: &[t(0, Topic), f(2, 0, Error), t(N|D, ErrorMessage)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Topic.bit(), least: 6, fixed: false }, // 542
    Struct { ops: &[f(4, 0, Throttle), a(542, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 543
    Struct { ops: &[a(121, C)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 544
    Struct { ops: &[t(C, Topic), f(4, 0, None), a(544, C|N)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 7, fixed: false }, // 545
    Struct { ops: &[a(545, C), f(5, 0, None)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 7, fixed: false }, // 546
    Struct { ops: &[t(0, None), t(0, None)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 547
    Struct { ops: &[a(547, 0), f(8, 0, None)], tags: &[], flexible: false, roles: 0, least: 12, fixed: false }, // 548
    Struct { ops: &[f(2, 0, Error), t(0, None), t(0, None), f(24, 340, None), t(0, None), b(0), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit(), least: 40, fixed: false }, // 549
    Struct { ops: &[f(2, 0, Error), t(0, None), t(0, None), f(24, 323, None), t(0, None), b(0), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit(), least: 40, fixed: false }, // 550
    Struct { ops: &[t(C, None), t(C, None)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 551
    Struct { ops: &[a(551, C), f(8, 0, None)], tags: &[], flexible: true, roles: 0, least: 10, fixed: false }, // 552
    Struct { ops: &[f(2, 0, Error), t(C, None), t(C, None), f(24, 323, None), t(C, None), b(C), f(4, 0, Throttle)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 35, fixed: false }, // 553
    Struct { ops: &[t(C|N, None), t(C|N, None), a(551, C), f(8, 0, None)], tags: &[], flexible: true, roles: 0, least: 12, fixed: false }, // 554
    Struct { ops: &[f(2, 0, Error), t(C, None), t(C, None), t(C, None), t(C, None), f(24, 323, None), t(C, None), b(C), f(4, 0, Throttle)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 37, fixed: false }, // 555
    Struct { ops: &[b(0), f(8, 0, None)], tags: &[], flexible: false, roles: 0, least: 12, fixed: false }, // 556
    Struct { ops: &[f(2, 0, Error), f(8, 0, None), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit(), least: 14, fixed: true }, // 557
    Struct { ops: &[b(C), f(8, 0, None)], tags: &[], flexible: true, roles: 0, least: 10, fixed: false }, // 558
    Struct { ops: &[f(2, 0, Error), f(8, 0, None), f(4, 0, Throttle)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 15, fixed: false }, // 559
    Struct { ops: &[a(547, N)], tags: &[], flexible: false, roles: 0, least: 4, fixed: false }, // 560
    Struct { ops: &[t(0, None), t(0, None), f(24, 323, None), t(0, None), b(0), a(547, 0)], tags: &[], flexible: false, roles: 0, least: 38, fixed: false }, // 561
    Struct { ops: &[f(2, 0, Error), a(561, 0), f(4, 0, Throttle)], tags: &[], flexible: false, roles: R::Error.bit()|R::Throttle.bit(), least: 10, fixed: false }, // 562
    Struct { ops: &[a(551, C|N)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 563
    Struct { ops: &[t(C, None), t(C, None), f(24, 323, None), t(C, None), b(C), a(551, C)], tags: &[], flexible: true, roles: 0, least: 30, fixed: false }, // 564
    Struct { ops: &[f(2, 0, Error), a(564, C), f(4, 0, Throttle)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 565
    Struct { ops: &[t(C, None), t(C, None), t(C, None), t(C, None), f(24, 323, None), t(C, None), b(C), a(551, C)], tags: &[], flexible: true, roles: 0, least: 32, fixed: false }, // 566
    Struct { ops: &[f(2, 0, Error), a(566, C), f(4, 0, Throttle)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 567
    Struct { ops: &[t(0, Group), f(2, 0, Error)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit(), least: 4, fixed: false }, // 568
    Struct { ops: &[f(4, 0, Throttle), a(568, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Group.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 569
    Struct { ops: &[a(330, C)], tags: &[], flexible: true, roles: R::Group.bit(), least: 2, fixed: false }, // 570
    Struct { ops: &[t(C, Group), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit(), least: 4, fixed: false }, // 571
    Struct { ops: &[f(4, 0, Throttle), a(571, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Group.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 572
    Struct { ops: &[a(57, N), f(4, 237, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 8, fixed: false }, // 573
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(N, ErrorMessage)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 8, fixed: false }, // 574
    Struct { ops: &[t(0, Topic), a(574, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 575
    Struct { ops: &[f(4, 0, Throttle), a(575, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 576
    Struct { ops: &[f(1, 0, None), a(57, N), f(4, 237, None)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 9, fixed: false }, // 577
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(575, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 10, fixed: false }, // 578
    Struct { ops: &[f(1, 0, None), a(70, C|N), f(4, 237, None)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 7, fixed: false }, // 579
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 8, fixed: false }, // 580
    Struct { ops: &[t(C, Topic), a(580, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 581
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(581, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 582
    Struct { ops: &[t(0, None), f(1, 0, None), t(N, None)], tags: &[], flexible: false, roles: 0, least: 5, fixed: false }, // 583
    Struct { ops: &[f(1, 0, ResourceType), t(0, ResourceName), a(583, 0)], tags: &[], flexible: false, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 7, fixed: false }, // 584
    Struct { ops: &[a(584, 0), f(1, 0, None)], tags: &[], flexible: false, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 5, fixed: false }, // 585
    Struct { ops: &[t(C, None), f(1, 0, None), t(C|N, None)], tags: &[], flexible: true, roles: 0, least: 4, fixed: false }, // 586
    Struct { ops: &[f(1, 0, ResourceType), t(C, ResourceName), a(586, C)], tags: &[], flexible: true, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 4, fixed: false }, // 587
    Struct { ops: &[a(587, C), f(1, 0, None)], tags: &[], flexible: true, roles: R::ResourceName.bit()|R::ResourceType.bit(), least: 3, fixed: false }, // 588
    Struct { ops: &[f(4, 0, Partition), a(121, C|N|D)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 6, fixed: false }, // 589
    Struct { ops: &[t(C, Topic), a(589, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 590
    Struct { ops: &[f(4, 237, None), a(590, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 591
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N, ErrorMessage), a(581, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 9, fixed: false }, // 592
    Struct { ops: &[f(5, 364, None), a(590, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 7, fixed: false }, // 593
    Struct { ops: &[f(4, 0, Throttle), f(1, 200, None), f(2, 0, Error), t(C|N, ErrorMessage), a(581, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 10, fixed: false }, // 594
    Struct { ops: &[f(4, 237, None), a(70, C|N|D)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 595
    Struct { ops: &[f(4, 0, Partition), a(121, C), a(121, C), a(121, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 8, fixed: false }, // 596
    Struct { ops: &[t(C, Topic), a(596, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 597
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N, ErrorMessage), a(597, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 9, fixed: false }, // 598
    Struct { ops: &[f(2, 0, Error), f(4, 0, Throttle), a(222, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 10, fixed: false }, // 599
    Struct { ops: &[a(583, 0), f(1, 0, None)], tags: &[], flexible: false, roles: 0, least: 5, fixed: false }, // 600
    Struct { ops: &[t(0, None), f(8, 0, None)], tags: &[], flexible: false, roles: 0, least: 10, fixed: false }, // 601
    Struct { ops: &[a(362, 0), a(601, 0)], tags: &[], flexible: false, roles: 0, least: 8, fixed: false }, // 602
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(N, ErrorMessage), a(602, N)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 12, fixed: false }, // 603
    Struct { ops: &[a(586, C), f(1, 0, None)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 604
    Struct { ops: &[t(C, None), f(8, 0, None)], tags: &[], flexible: true, roles: 0, least: 10, fixed: false }, // 605
    Struct { ops: &[a(373, C), a(605, C)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 606
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N, ErrorMessage), a(606, C|N)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 9, fixed: false }, // 607
    Struct { ops: &[t(0, None), f(9, 0, None)], tags: &[], flexible: false, roles: 0, least: 11, fixed: false }, // 608
    Struct { ops: &[a(362, 0), a(608, 0)], tags: &[], flexible: false, roles: 0, least: 8, fixed: false }, // 609
    Struct { ops: &[a(609, 0), f(1, 0, None)], tags: &[], flexible: false, roles: 0, least: 5, fixed: false }, // 610
    Struct { ops: &[f(2, 0, Error), t(N, ErrorMessage), a(362, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 8, fixed: false }, // 611
    Struct { ops: &[f(4, 0, Throttle), a(611, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 612
    Struct { ops: &[t(C, None), f(9, 0, None)], tags: &[], flexible: true, roles: 0, least: 11, fixed: false }, // 613
    Struct { ops: &[a(373, C), a(613, C)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 614
    Struct { ops: &[a(614, C), f(1, 0, None)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 615
    Struct { ops: &[f(2, 0, Error), t(C|N, ErrorMessage), a(373, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 5, fixed: false }, // 616
    Struct { ops: &[f(4, 0, Throttle), a(616, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 617
    Struct { ops: &[t(C, None)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 618
    Struct { ops: &[a(618, C|N)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 619
    Struct { ops: &[f(5, 0, None)], tags: &[], flexible: true, roles: 0, least: 6, fixed: false }, // 620
    Struct { ops: &[t(C, None), f(2, 0, Error), t(C|N, ErrorMessage), a(620, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 6, fixed: false }, // 621
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N, ErrorMessage), a(621, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 9, fixed: false }, // 622
    Struct { ops: &[t(C, None), f(1, 0, None)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 623
    Struct { ops: &[t(C, None), f(5, 0, None), b(C), b(C)], tags: &[], flexible: true, roles: 0, least: 9, fixed: false }, // 624
    Struct { ops: &[a(623, C), a(624, C)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 625
    Struct { ops: &[t(C, None), f(2, 0, Error), t(C|N, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit(), least: 5, fixed: false }, // 626
    Struct { ops: &[f(4, 0, Throttle), a(626, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 6, fixed: false }, // 627
    Struct { ops: &[f(4, 0, Partition), f(20, 323, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 25, fixed: false }, // 628
    Struct { ops: &[t(C, Topic), a(628, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 629
    Struct { ops: &[t(C|N|D, None), a(629, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 630
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(9, 0, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 16, fixed: false }, // 631
    Struct { ops: &[t(C, Topic), a(631, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 632
    Struct { ops: &[f(2, 0, Error), a(632, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 633
    Struct { ops: &[f(4, 0, Partition), f(52, 413, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 57, fixed: false }, // 634
    Struct { ops: &[t(C, Topic), a(634, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 635
    Struct { ops: &[t(C|N|D, None), f(4, 14, None), a(635, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 7, fixed: false }, // 636
    Struct { ops: &[f(4, 0, Node), t(C, Host), f(2, 0, Port)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 8, fixed: false }, // 637
    Struct { ops: &[f(2, 0, Error), a(632, C)], tags: &[(0, a(637, C))], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 4, fixed: false }, // 638
    Struct { ops: &[f(4, 0, Partition), f(53, 369, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 58, fixed: false }, // 639
    Struct { ops: &[t(C, Topic), a(639, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 640
    Struct { ops: &[t(C|N|D, None), f(4, 14, None), a(640, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 7, fixed: false }, // 641
    Struct { ops: &[t(N|D, None), a(98, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 642
    Struct { ops: &[f(2, 0, Error), a(8, 0)], tags: &[], flexible: false, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 643
    Struct { ops: &[f(4, 0, Partition), f(24, 323, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 29, fixed: false }, // 644
    Struct { ops: &[t(C, Topic), a(644, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 645
    Struct { ops: &[t(C, None), t(C, Host), f(2, 0, Port)], tags: &[], flexible: true, roles: R::Host.bit()|R::Port.bit(), least: 5, fixed: false }, // 646
    Struct { ops: &[t(C|N|D, None), f(4, 14, None), a(645, C), a(646, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 8, fixed: false }, // 647
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(8, 0, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 15, fixed: false }, // 648
    Struct { ops: &[t(C, Topic), a(648, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 649
    Struct { ops: &[f(2, 0, Error), a(649, C)], tags: &[(0, a(637, C))], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 4, fixed: false }, // 650
    Struct { ops: &[f(4, 0, Partition), f(8, 0, None), a(121, 0)], tags: &[], flexible: false, roles: R::Partition.bit(), least: 16, fixed: false }, // 651
    Struct { ops: &[t(0, Topic), a(651, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 652
    Struct { ops: &[t(N|D, None), a(652, 0)], tags: &[], flexible: false, roles: R::Partition.bit()|R::Topic.bit(), least: 6, fixed: false }, // 653
    Struct { ops: &[f(20, 323, None)], tags: &[], flexible: true, roles: 0, least: 21, fixed: false }, // 654
    Struct { ops: &[f(4, 0, Partition), f(8, 0, None), a(654, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 14, fixed: false }, // 655
    Struct { ops: &[t(C, Topic), a(655, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 656
    Struct { ops: &[t(C|N|D, None), a(656, C), a(646, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 4, fixed: false }, // 657
    Struct { ops: &[f(4, 0, Partition)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 5, fixed: false }, // 658
    Struct { ops: &[t(C, Topic), a(658, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 659
    Struct { ops: &[a(659, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 2, fixed: false }, // 660
    Struct { ops: &[f(12, 0, None)], tags: &[], flexible: true, roles: 0, least: 13, fixed: false }, // 661
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(16, 46, None), a(661, C), a(661, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 25, fixed: false }, // 662
    Struct { ops: &[t(C, Topic), a(662, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 663
    Struct { ops: &[f(2, 0, Error), a(663, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 664
    Struct { ops: &[f(28, 465, None)], tags: &[], flexible: true, roles: 0, least: 29, fixed: false }, // 665
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(16, 46, None), a(665, C), a(665, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 25, fixed: false }, // 666
    Struct { ops: &[t(C, Topic), a(666, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 667
    Struct { ops: &[f(2, 0, Error), a(667, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 4, fixed: false }, // 668
    Struct { ops: &[f(44, 449, None)], tags: &[], flexible: true, roles: 0, least: 45, fixed: false }, // 669
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N, ErrorMessage), f(16, 46, None), a(669, C), a(669, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 26, fixed: false }, // 670
    Struct { ops: &[t(C, Topic), a(670, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 671
    Struct { ops: &[f(4, 0, Node), a(646, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 6, fixed: false }, // 672
    Struct { ops: &[f(2, 0, Error), t(C|N, ErrorMessage), a(671, C), a(672, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Topic.bit(), least: 6, fixed: false }, // 673
    Struct { ops: &[f(4, 0, Partition), f(4, 0, None), a(121, C), f(4, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 14, fixed: false }, // 674
    Struct { ops: &[t(C, Topic), a(674, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 675
    Struct { ops: &[f(12, 10, None), a(675, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 14, fixed: false }, // 676
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(8, 0, None), a(121, C), f(4, 0, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 20, fixed: false }, // 677
    Struct { ops: &[t(C, Topic), a(677, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 678
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(678, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 679
    Struct { ops: &[f(4, 0, Partition), f(4, 0, None), a(121, C), f(5, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 15, fixed: false }, // 680
    Struct { ops: &[t(C, Topic), a(680, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 681
    Struct { ops: &[f(12, 10, None), a(681, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 14, fixed: false }, // 682
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), f(8, 0, None), a(121, C), f(5, 0, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 21, fixed: false }, // 683
    Struct { ops: &[t(C, Topic), a(683, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 684
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(684, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 685
    Struct { ops: &[f(16, 46, TopicId), a(680, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 686
    Struct { ops: &[f(12, 10, None), a(686, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 14, fixed: false }, // 687
    Struct { ops: &[f(16, 46, TopicId), a(683, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 688
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(688, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 8, fixed: false }, // 689
    Struct { ops: &[f(4, 0, Partition), f(4, 0, None), a(215, C), f(5, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 15, fixed: false }, // 690
    Struct { ops: &[f(16, 46, TopicId), a(690, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 691
    Struct { ops: &[f(12, 10, None), a(691, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 14, fixed: false }, // 692
    Struct { ops: &[t(C, None), f(3, 0, None)], tags: &[], flexible: true, roles: 0, least: 5, fixed: false }, // 693
    Struct { ops: &[f(4, 237, None), a(693, C)], tags: &[], flexible: true, roles: 0, least: 6, fixed: false }, // 694
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N, ErrorMessage), a(626, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 9, fixed: false }, // 695
    Struct { ops: &[t(C, None), f(3, 198, None)], tags: &[], flexible: true, roles: 0, least: 5, fixed: false }, // 696
    Struct { ops: &[f(4, 237, None), a(696, C), f(1, 0, None)], tags: &[], flexible: true, roles: 0, least: 7, fixed: false }, // 697
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 698
    Struct { ops: &[b(C), b(C|N), b(C)], tags: &[], flexible: true, roles: 0, least: 4, fixed: false }, // 699
    Struct { ops: &[b(C|N|D), f(2, 0, Error)], tags: &[], flexible: true, roles: R::Error.bit(), least: 4, fixed: false }, // 700
    Struct { ops: &[f(4, 0, Partition), f(4, 0, None), s(661), f(8, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 30, fixed: false }, // 701
    Struct { ops: &[t(C, Topic), a(701, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 702
    Struct { ops: &[f(8, 493, None), a(702, C)], tags: &[(0, t(C|N|D, None))], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 10, fixed: false }, // 703
    Struct { ops: &[f(8, 0, None)], tags: &[], flexible: true, roles: 0, least: 9, fixed: false }, // 704
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), s(661), f(16, 46, None), b(C)], tags: &[(0, s(704))], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 37, fixed: false }, // 705
    Struct { ops: &[t(C, Topic), a(705, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 706
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(706, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 707
    Struct { ops: &[f(4, 0, Partition), f(4, 0, None), s(661), f(8, 0, None)], tags: &[(0, f(16, 46, None))], flexible: true, roles: R::Partition.bit(), least: 30, fixed: false }, // 708
    Struct { ops: &[t(C, Topic), a(708, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 709
    Struct { ops: &[f(8, 493, None), a(709, C)], tags: &[(0, t(C|N|D, None))], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 10, fixed: false }, // 710
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(706, C)], tags: &[(0, a(637, C))], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::Topic.bit(), least: 8, fixed: false }, // 711
    Struct { ops: &[f(1, 0, None)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 712
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), t(C, None), f(4, 14, None), a(31, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Port.bit()|R::Throttle.bit(), least: 18, fixed: false }, // 713
    Struct { ops: &[f(2, 199, None)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 714
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), f(1, 200, None), t(C, None), f(4, 14, None), a(31, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Port.bit()|R::Throttle.bit(), least: 19, fixed: false }, // 715
    Struct { ops: &[f(3, 199, None)], tags: &[], flexible: true, roles: 0, least: 4, fixed: false }, // 716
    Struct { ops: &[f(4, 0, Node), t(C, Host), f(4, 0, Port), t(C|N|D, None), f(1, 0, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 12, fixed: false }, // 717
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), f(1, 200, None), t(C, None), f(4, 14, None), a(717, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Port.bit()|R::Throttle.bit(), least: 19, fixed: false }, // 718
    Struct { ops: &[a(70, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 2, fixed: false }, // 719
    Struct { ops: &[f(36, 529, None)], tags: &[], flexible: true, roles: 0, least: 37, fixed: false }, // 720
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N|D, ErrorMessage), a(720, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 9, fixed: false }, // 721
    Struct { ops: &[t(C, Topic), a(721, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 722
    Struct { ops: &[f(4, 0, Throttle), a(722, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 723
    Struct { ops: &[t(C, None), t(C, Host), f(2, 0, Port), f(2, 0, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Port.bit(), least: 7, fixed: false }, // 724
    Struct { ops: &[f(4, 0, Node), t(C, None), f(16, 46, None), a(724, C), a(359, C), t(C|N, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 25, fixed: false }, // 725
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(8, 14, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 15, fixed: false }, // 726
    Struct { ops: &[f(4, 0, Node), t(C, None), f(16, 46, None), a(724, C), a(359, C), t(C|N, None), f(1, 0, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 26, fixed: false }, // 727
    Struct { ops: &[f(4, 0, Node), t(C, None), f(16, 46, None), a(724, C), a(359, C), t(C|N, None), f(1, 0, None), a(46, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 27, fixed: false }, // 728
    Struct { ops: &[f(4, 0, Node), t(C, None), f(16, 46, None), a(724, C), a(359, C), t(C|N, None), f(1, 0, None), a(46, C), f(8, 14, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 35, fixed: false }, // 729
    Struct { ops: &[f(22, 586, None)], tags: &[], flexible: true, roles: 0, least: 23, fixed: false }, // 730
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(3, 199, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 10, fixed: false }, // 731
    Struct { ops: &[f(22, 565, None)], tags: &[(0, a(46, C))], flexible: true, roles: 0, least: 23, fixed: false }, // 732
    Struct { ops: &[f(22, 565, None)], tags: &[(0, a(46, C)), (1, a(46, C|N|D))], flexible: true, roles: 0, least: 23, fixed: false }, // 733
    Struct { ops: &[f(4, 0, None)], tags: &[], flexible: true, roles: 0, least: 5, fixed: false }, // 734
    Struct { ops: &[t(C, Transactional)], tags: &[], flexible: false, roles: R::Transactional.bit(), least: 1, fixed: false }, // 735
    Struct { ops: &[a(735, C)], tags: &[], flexible: true, roles: R::Transactional.bit(), least: 2, fixed: false }, // 736
    Struct { ops: &[f(2, 0, Error), t(C, Transactional), t(C, None), f(22, 323, None), a(70, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit()|R::Transactional.bit(), least: 28, fixed: false }, // 737
    Struct { ops: &[f(4, 0, Throttle), a(737, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::Transactional.bit(), least: 6, fixed: false }, // 738
    Struct { ops: &[a(344, C), a(93, C)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 739
    Struct { ops: &[t(C, Transactional), f(8, 0, None), t(C, None)], tags: &[], flexible: true, roles: R::Transactional.bit(), least: 11, fixed: false }, // 740
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(344, C), a(740, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit()|R::Transactional.bit(), least: 9, fixed: false }, // 741
    Struct { ops: &[a(344, C), a(93, C), f(8, 14, None)], tags: &[], flexible: true, roles: 0, least: 11, fixed: false }, // 742
    Struct { ops: &[a(344, C), a(93, C), f(8, 14, None), t(C|N|D, None)], tags: &[], flexible: true, roles: 0, least: 12, fixed: false }, // 743
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(12, 0, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 19, fixed: false }, // 744
    Struct { ops: &[t(C, Group), t(C, Member), f(4, 0, None), t(C|N|D, None), t(C|N|D, None), f(4, 14, None), a(383, C|N|D), t(C|N|D, None), a(78, C|N|D)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 16, fixed: false }, // 745
    Struct { ops: &[a(78, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 2, fixed: false }, // 746
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), t(C|N|D, Member), f(8, 0, None), m(746, C|N|D)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Member.bit()|R::Partition.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 747
    Struct { ops: &[t(C, Group), t(C, Member), f(4, 0, None), t(C|N|D, None), t(C|N|D, None), f(4, 14, None), a(383, C|N|D), t(C|N|D, None), t(C|N|D, None), a(78, C|N|D)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 17, fixed: false }, // 748
    Struct { ops: &[f(16, 46, TopicId), t(C, Topic), a(56, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 19, fixed: false }, // 749
    Struct { ops: &[a(749, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 2, fixed: false }, // 750
    Struct { ops: &[t(C, Member), t(C|N|D, None), t(C|N|D, None), f(4, 0, None), t(C, None), t(C, None), a(383, C), t(C|N|D, None), s(750), s(750)], tags: &[], flexible: true, roles: R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 16, fixed: false }, // 751
    Struct { ops: &[f(2, 0, Error), t(C|N|D, ErrorMessage), t(C, Group), t(C, None), f(8, 0, None), t(C, None), a(751, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 20, fixed: false }, // 752
    Struct { ops: &[f(4, 0, Throttle), a(752, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 753
    Struct { ops: &[t(C, Member), t(C|N|D, None), t(C|N|D, None), f(4, 0, None), t(C, None), t(C, None), a(383, C), t(C|N|D, None), s(750), s(750), f(1, 14, None)], tags: &[], flexible: true, roles: R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 17, fixed: false }, // 754
    Struct { ops: &[f(2, 0, Error), t(C|N|D, ErrorMessage), t(C, Group), t(C, None), f(8, 0, None), t(C, None), a(754, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 20, fixed: false }, // 755
    Struct { ops: &[f(4, 0, Throttle), a(755, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 756
    Struct { ops: &[f(4, 0, Node), f(17, 323, None), a(724, C), a(359, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 24, fixed: false }, // 757
    Struct { ops: &[f(1, 0, None)], tags: &[], flexible: false, roles: 0, least: 1, fixed: true }, // 758
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), f(20, 323, None), a(758, C), f(9, 0, None), a(344, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 38, fixed: false }, // 759
    Struct { ops: &[f(22, 323, None), b(C)], tags: &[], flexible: true, roles: 0, least: 24, fixed: false }, // 760
    Struct { ops: &[f(16, 46, TopicId), a(658, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 761
    Struct { ops: &[f(16, 46, None), a(761, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 762
    Struct { ops: &[f(12, 10, None), a(762, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 14, fixed: false }, // 763
    Struct { ops: &[f(16, 46, None), a(176, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 764
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(764, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 8, fixed: false }, // 765
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(618, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 766
    Struct { ops: &[a(758, C)], tags: &[], flexible: true, roles: 0, least: 2, fixed: false }, // 767
    Struct { ops: &[t(C, None), f(1, 608, None)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 768
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), a(768, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Throttle.bit(), least: 8, fixed: false }, // 769
    Struct { ops: &[a(141, C), f(4, 609, None), m(216, C|N|D)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 7, fixed: false }, // 770
    Struct { ops: &[f(2, 0, Error), f(4, 0, Partition), f(8, 10, None), a(121, C), a(121, C), a(121, C|N|D), a(121, C|N|D), a(121, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit(), least: 20, fixed: false }, // 771
    Struct { ops: &[f(2, 0, Error), t(C|N, Topic), f(16, 46, TopicId), f(1, 0, None), a(771, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 26, fixed: false }, // 772
    Struct { ops: &[f(4, 0, Throttle), a(772, C), m(216, C|N|D)], tags: &[], flexible: true, roles: R::Error.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 7, fixed: false }, // 773
    Struct { ops: &[t(C, Group), t(C, Member), f(4, 0, None), t(C|N|D, None), a(344, C|N|D)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit(), least: 9, fixed: false }, // 774
    Struct { ops: &[t(C, Group), t(C, Member), f(4, 0, None), t(C|N|D, None), a(383, C|N|D)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Topic.bit(), least: 9, fixed: false }, // 775
    Struct { ops: &[t(C, Member), t(C|N|D, None), f(4, 0, None), t(C, None), t(C, None), a(383, C), s(750)], tags: &[], flexible: true, roles: R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 12, fixed: false }, // 776
    Struct { ops: &[f(2, 0, Error), t(C|N|D, ErrorMessage), t(C, Group), t(C, None), f(8, 0, None), t(C, None), a(776, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 20, fixed: false }, // 777
    Struct { ops: &[f(4, 0, Throttle), a(777, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 778
    Struct { ops: &[f(16, 46, None), a(758, C)], tags: &[], flexible: true, roles: 0, least: 18, fixed: false }, // 779
    Struct { ops: &[f(4, 0, Partition), f(4, 0, None), a(779, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 10, fixed: false }, // 780
    Struct { ops: &[f(16, 46, TopicId), a(780, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 781
    Struct { ops: &[t(C|N|D, Group), t(C|N, Member), f(16, 50, None), a(781, C), a(78, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::TopicId.bit(), least: 21, fixed: false }, // 782
    Struct { ops: &[f(18, 323, None)], tags: &[], flexible: true, roles: 0, least: 19, fixed: false }, // 783
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N|D, ErrorMessage), f(2, 0, Error), t(C|N|D, None), s(704), b(C|N), a(783, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 22, fixed: false }, // 784
    Struct { ops: &[f(16, 46, TopicId), a(784, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 785
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), a(785, C), a(31, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 10, fixed: false }, // 786
    Struct { ops: &[f(4, 0, Partition), a(779, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 6, fixed: false }, // 787
    Struct { ops: &[f(16, 46, TopicId), a(787, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 788
    Struct { ops: &[t(C|N|D, Group), t(C|N, Member), f(24, 633, None), a(788, C), a(78, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::TopicId.bit(), least: 29, fixed: false }, // 789
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N|D, ErrorMessage), f(2, 0, Error), t(C|N|D, None), s(704), b(C), a(783, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 22, fixed: false }, // 790
    Struct { ops: &[f(16, 46, TopicId), a(790, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 791
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), f(4, 0, None), a(791, C), a(31, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 14, fixed: false }, // 792
    Struct { ops: &[t(C|N|D, Group), t(C|N, Member), f(26, 613, None), a(788, C), a(78, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::TopicId.bit(), least: 31, fixed: false }, // 793
    Struct { ops: &[t(C|N|D, Group), t(C|N, Member), f(4, 0, None), a(788, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::TopicId.bit(), least: 8, fixed: false }, // 794
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N|D, ErrorMessage), s(704)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 17, fixed: false }, // 795
    Struct { ops: &[f(16, 46, TopicId), a(795, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 796
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), a(796, C), a(31, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 10, fixed: false }, // 797
    Struct { ops: &[t(C|N|D, Group), t(C|N, Member), f(5, 0, None), a(788, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::TopicId.bit(), least: 9, fixed: false }, // 798
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), f(4, 0, None), a(796, C), a(31, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Host.bit()|R::Node.bit()|R::Partition.bit()|R::Port.bit()|R::Throttle.bit()|R::TopicId.bit(), least: 14, fixed: false }, // 799
    Struct { ops: &[t(C|N, None), f(4, 0, None), f(4, 0, Node), f(16, 46, None), a(646, C)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 27, fixed: false }, // 800
    Struct { ops: &[t(C|N, None), f(4, 0, None), f(4, 0, Node), f(16, 46, None), a(646, C), f(1, 200, None)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 28, fixed: false }, // 801
    Struct { ops: &[t(C|N, None), f(20, 323, None)], tags: &[], flexible: true, roles: 0, least: 22, fixed: false }, // 802
    Struct { ops: &[t(C|N, None), f(4, 0, None), f(4, 0, Node), f(16, 46, None), a(646, C), s(734)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 32, fixed: false }, // 803
    Struct { ops: &[f(4, 14, Node), f(4, 14, None), t(C, Host), f(4, 0, Port)], tags: &[], flexible: true, roles: R::Host.bit()|R::Node.bit()|R::Port.bit(), least: 14, fixed: false }, // 804
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error)], tags: &[(0, s(804))], flexible: true, roles: R::Error.bit()|R::Host.bit()|R::Node.bit()|R::Port.bit()|R::Throttle.bit(), least: 7, fixed: false }, // 805
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 17, fixed: false }, // 806
    Struct { ops: &[f(16, 46, TopicId), a(806, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 807
    Struct { ops: &[t(C, Group), a(807, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::TopicId.bit(), least: 3, fixed: false }, // 808
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 8, fixed: false }, // 809
    Struct { ops: &[f(16, 46, TopicId), a(809, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 810
    Struct { ops: &[a(810, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 2, fixed: false }, // 811
    Struct { ops: &[f(4, 0, Partition), f(4, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 9, fixed: false }, // 812
    Struct { ops: &[f(16, 46, TopicId), a(812, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 813
    Struct { ops: &[t(C, Group), a(813, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::TopicId.bit(), least: 3, fixed: false }, // 814
    Struct { ops: &[f(19, 323, None)], tags: &[], flexible: true, roles: 0, least: 20, fixed: false }, // 815
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N|D, ErrorMessage), f(12, 0, None), a(815, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 21, fixed: false }, // 816
    Struct { ops: &[f(16, 46, TopicId), a(816, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 817
    Struct { ops: &[a(817, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 2, fixed: false }, // 818
    Struct { ops: &[f(4, 0, Partition), f(16, 46, None), a(815, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 22, fixed: false }, // 819
    Struct { ops: &[f(16, 46, TopicId), a(819, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 820
    Struct { ops: &[t(C, Group), a(820, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::TopicId.bit(), least: 3, fixed: false }, // 821
    Struct { ops: &[f(4, 0, Partition), f(20, 461, None), a(815, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 26, fixed: false }, // 822
    Struct { ops: &[f(16, 46, TopicId), a(822, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 823
    Struct { ops: &[t(C, Group), a(823, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::TopicId.bit(), least: 3, fixed: false }, // 824
    Struct { ops: &[t(C, Group), a(761, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::TopicId.bit(), least: 3, fixed: false }, // 825
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N|D, ErrorMessage), f(16, 46, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 24, fixed: false }, // 826
    Struct { ops: &[f(16, 46, TopicId), a(826, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 827
    Struct { ops: &[a(827, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 2, fixed: false }, // 828
    Struct { ops: &[f(4, 0, Partition), f(2, 0, Error), t(C|N|D, ErrorMessage), f(20, 461, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 28, fixed: false }, // 829
    Struct { ops: &[f(16, 46, TopicId), a(829, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 18, fixed: false }, // 830
    Struct { ops: &[a(830, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::TopicId.bit(), least: 2, fixed: false }, // 831
    Struct { ops: &[t(C, Topic), f(6, 0, None), a(551, C)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 9, fixed: false }, // 832
    Struct { ops: &[f(2, 0, None)], tags: &[], flexible: false, roles: 0, least: 2, fixed: true }, // 833
    Struct { ops: &[a(833, C), a(833, C), a(833, C)], tags: &[], flexible: true, roles: 0, least: 4, fixed: false }, // 834
    Struct { ops: &[t(C, None), a(383, C), a(344, C), a(832, C), a(383, C), a(832, C), a(834, C)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 8, fixed: false }, // 835
    Struct { ops: &[f(4, 0, None), a(835, C)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 6, fixed: false }, // 836
    Struct { ops: &[t(C, None), a(56, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 3, fixed: false }, // 837
    Struct { ops: &[t(C, None), f(2, 0, None)], tags: &[], flexible: true, roles: 0, least: 4, fixed: false }, // 838
    Struct { ops: &[t(C, None), f(4, 0, Partition), f(8, 0, None)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 14, fixed: false }, // 839
    Struct { ops: &[t(C, Group), t(C, Member), f(8, 0, None), t(C|N|D, None), t(C|N|D, None), f(4, 14, None), m(836, C|N|D), a(837, C|N|D), a(837, C|N|D), a(837, C|N|D), t(C|N|D, None), m(838, C|N|D), a(551, C|N|D), a(839, C|N|D), a(839, C|N|D), f(1, 0, None)], tags: &[], flexible: true, roles: R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 27, fixed: false }, // 840
    Struct { ops: &[f(1, 0, None), t(C, None)], tags: &[], flexible: true, roles: 0, least: 3, fixed: false }, // 841
    Struct { ops: &[s(838), a(70, C), a(70, C)], tags: &[], flexible: true, roles: R::Partition.bit()|R::Topic.bit(), least: 7, fixed: false }, // 842
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), t(C, Member), f(16, 46, None), a(841, C|N), a(837, C|N|D), a(837, C|N|D), a(837, C|N|D), f(4, 0, None), a(842, C|N|D)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Member.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 34, fixed: false }, // 843
    Struct { ops: &[t(C, None), a(383, C), a(383, C), a(832, C), a(832, C)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 6, fixed: false }, // 844
    Struct { ops: &[f(4, 0, None), a(844, C|N|D)], tags: &[], flexible: true, roles: R::Topic.bit(), least: 6, fixed: false }, // 845
    Struct { ops: &[a(837, C), a(837, C), a(837, C)], tags: &[], flexible: true, roles: R::Partition.bit(), least: 4, fixed: false }, // 846
    Struct { ops: &[t(C, Member), f(4, 0, None), t(C|N|D, None), t(C|N|D, None), t(C, None), t(C, None), f(4, 0, None), t(C, None), m(838, C|N|D), a(551, C), a(839, C), a(839, C), s(846), s(846), f(1, 0, None)], tags: &[], flexible: true, roles: R::Member.bit()|R::Partition.bit(), least: 28, fixed: false }, // 847
    Struct { ops: &[f(2, 0, Error), t(C|N|D, ErrorMessage), t(C, Group), t(C, None), f(8, 0, None), m(845, C|N|D), a(847, C), f(4, 233, None)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Topic.bit(), least: 20, fixed: false }, // 848
    Struct { ops: &[f(4, 0, Throttle), a(848, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Member.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit(), least: 6, fixed: false }, // 849
    Struct { ops: &[a(252, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 2, fixed: false }, // 850
    Struct { ops: &[f(4, 0, Partition), f(12, 0, None), f(2, 0, Error), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 20, fixed: false }, // 851
    Struct { ops: &[t(C, Topic), f(16, 46, TopicId), a(851, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 19, fixed: false }, // 852
    Struct { ops: &[t(C, Group), a(852, C), f(2, 0, Error), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 853
    Struct { ops: &[f(4, 0, Throttle), a(853, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 854
    Struct { ops: &[f(4, 0, Partition), f(20, 2, None), f(2, 0, Error), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit(), least: 28, fixed: false }, // 855
    Struct { ops: &[t(C, Topic), f(16, 46, TopicId), a(855, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 19, fixed: false }, // 856
    Struct { ops: &[t(C, Group), a(856, C), f(2, 0, Error), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 857
    Struct { ops: &[f(4, 0, Throttle), a(857, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Group.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 6, fixed: false }, // 858
    Struct { ops: &[t(C, Group), a(398, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Partition.bit()|R::Topic.bit(), least: 3, fixed: false }, // 859
    Struct { ops: &[t(C, Topic), f(16, 46, TopicId), a(809, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Topic.bit()|R::TopicId.bit(), least: 19, fixed: false }, // 860
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), a(860, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Partition.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 9, fixed: false }, // 861
    Struct { ops: &[t(C, Group), a(141, C)], tags: &[], flexible: true, roles: R::Group.bit()|R::Topic.bit(), least: 3, fixed: false }, // 862
    Struct { ops: &[t(C, Topic), f(16, 46, TopicId), f(2, 0, Error), t(C|N|D, ErrorMessage)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Topic.bit()|R::TopicId.bit(), least: 21, fixed: false }, // 863
    Struct { ops: &[f(4, 0, Throttle), f(2, 0, Error), t(C|N|D, ErrorMessage), a(863, C)], tags: &[], flexible: true, roles: R::Error.bit()|R::ErrorMessage.bit()|R::Throttle.bit()|R::Topic.bit()|R::TopicId.bit(), least: 9, fixed: false }, // 864
];

/// Default values, one after another.
pub static DEFAULTS: [u8; 657] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 128, 0, 0, 0, 0, 0, 234, 96, 0, 0, 234, 96, 0, 0, 255, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 234, 96, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 7, 208, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0];

/// Error codes and their names, in the order of the codes.
pub static ERRORS: [(i16, &str); 135] = [
    (-1, "UNKNOWN_SERVER_ERROR"),
    (0, "NONE"),
    (1, "OFFSET_OUT_OF_RANGE"),
    (2, "CORRUPT_MESSAGE"),
    (3, "UNKNOWN_TOPIC_OR_PARTITION"),
    (4, "INVALID_FETCH_SIZE"),
    (5, "LEADER_NOT_AVAILABLE"),
    (6, "NOT_LEADER_OR_FOLLOWER"),
    (7, "REQUEST_TIMED_OUT"),
    (8, "BROKER_NOT_AVAILABLE"),
    (9, "REPLICA_NOT_AVAILABLE"),
    (10, "MESSAGE_TOO_LARGE"),
    (11, "STALE_CONTROLLER_EPOCH"),
    (12, "OFFSET_METADATA_TOO_LARGE"),
    (13, "NETWORK_EXCEPTION"),
    (14, "COORDINATOR_LOAD_IN_PROGRESS"),
    (15, "COORDINATOR_NOT_AVAILABLE"),
    (16, "NOT_COORDINATOR"),
    (17, "INVALID_TOPIC_EXCEPTION"),
    (18, "RECORD_LIST_TOO_LARGE"),
    (19, "NOT_ENOUGH_REPLICAS"),
    (20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
    (21, "INVALID_REQUIRED_ACKS"),
    (22, "ILLEGAL_GENERATION"),
    (23, "INCONSISTENT_GROUP_PROTOCOL"),
    (24, "INVALID_GROUP_ID"),
    (25, "UNKNOWN_MEMBER_ID"),
    (26, "INVALID_SESSION_TIMEOUT"),
    (27, "REBALANCE_IN_PROGRESS"),
    (28, "INVALID_COMMIT_OFFSET_SIZE"),
    (29, "TOPIC_AUTHORIZATION_FAILED"),
    (30, "GROUP_AUTHORIZATION_FAILED"),
    (31, "CLUSTER_AUTHORIZATION_FAILED"),
    (32, "INVALID_TIMESTAMP"),
    (33, "UNSUPPORTED_SASL_MECHANISM"),
    (34, "ILLEGAL_SASL_STATE"),
    (35, "UNSUPPORTED_VERSION"),
    (36, "TOPIC_ALREADY_EXISTS"),
    (37, "INVALID_PARTITIONS"),
    (38, "INVALID_REPLICATION_FACTOR"),
    (39, "INVALID_REPLICA_ASSIGNMENT"),
    (40, "INVALID_CONFIG"),
    (41, "NOT_CONTROLLER"),
    (42, "INVALID_REQUEST"),
    (43, "UNSUPPORTED_FOR_MESSAGE_FORMAT"),
    (44, "POLICY_VIOLATION"),
    (45, "OUT_OF_ORDER_SEQUENCE_NUMBER"),
    (46, "DUPLICATE_SEQUENCE_NUMBER"),
    (47, "INVALID_PRODUCER_EPOCH"),
    (48, "INVALID_TXN_STATE"),
    (49, "INVALID_PRODUCER_ID_MAPPING"),
    (50, "INVALID_TRANSACTION_TIMEOUT"),
    (51, "CONCURRENT_TRANSACTIONS"),
    (52, "TRANSACTION_COORDINATOR_FENCED"),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    (54, "SECURITY_DISABLED"),
    (55, "OPERATION_NOT_ATTEMPTED"),
    (56, "KAFKA_STORAGE_ERROR"),
    (57, "LOG_DIR_NOT_FOUND"),
    (58, "SASL_AUTHENTICATION_FAILED"),
    (59, "UNKNOWN_PRODUCER_ID"),
    (60, "REASSIGNMENT_IN_PROGRESS"),
    (61, "DELEGATION_TOKEN_AUTH_DISABLED"),
    (62, "DELEGATION_TOKEN_NOT_FOUND"),
    (63, "DELEGATION_TOKEN_OWNER_MISMATCH"),
    (64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED"),
    (65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED"),
    (66, "DELEGATION_TOKEN_EXPIRED"),
    (67, "INVALID_PRINCIPAL_TYPE"),
    (68, "NON_EMPTY_GROUP"),
    (69, "GROUP_ID_NOT_FOUND"),
    (70, "FETCH_SESSION_ID_NOT_FOUND"),
    (71, "INVALID_FETCH_SESSION_EPOCH"),
    (72, "LISTENER_NOT_FOUND"),
    (73, "TOPIC_DELETION_DISABLED"),
    (74, "FENCED_LEADER_EPOCH"),
    (75, "UNKNOWN_LEADER_EPOCH"),
    (76, "UNSUPPORTED_COMPRESSION_TYPE"),
    (77, "STALE_BROKER_EPOCH"),
    (78, "OFFSET_NOT_AVAILABLE"),
    (79, "MEMBER_ID_REQUIRED"),
    (80, "PREFERRED_LEADER_NOT_AVAILABLE"),
    (81, "GROUP_MAX_SIZE_REACHED"),
    (82, "FENCED_INSTANCE_ID"),
    (83, "ELIGIBLE_LEADERS_NOT_AVAILABLE"),
    (84, "ELECTION_NOT_NEEDED"),
    (85, "NO_REASSIGNMENT_IN_PROGRESS"),
    (86, "GROUP_SUBSCRIBED_TO_TOPIC"),
    (87, "INVALID_RECORD"),
    (88, "UNSTABLE_OFFSET_COMMIT"),
    (89, "THROTTLING_QUOTA_EXCEEDED"),
    (90, "PRODUCER_FENCED"),
    (91, "RESOURCE_NOT_FOUND"),
    (92, "DUPLICATE_RESOURCE"),
    (93, "UNACCEPTABLE_CREDENTIAL"),
    (94, "INCONSISTENT_VOTER_SET"),
    (95, "INVALID_UPDATE_VERSION"),
    (96, "FEATURE_UPDATE_FAILED"),
    (97, "PRINCIPAL_DESERIALIZATION_FAILURE"),
    (98, "SNAPSHOT_NOT_FOUND"),
    (99, "POSITION_OUT_OF_RANGE"),
    (100, "UNKNOWN_TOPIC_ID"),
    (101, "DUPLICATE_BROKER_REGISTRATION"),
    (102, "BROKER_ID_NOT_REGISTERED"),
    (103, "INCONSISTENT_TOPIC_ID"),
    (104, "INCONSISTENT_CLUSTER_ID"),
    (105, "TRANSACTIONAL_ID_NOT_FOUND"),
    (106, "FETCH_SESSION_TOPIC_ID_ERROR"),
    (107, "INELIGIBLE_REPLICA"),
    (108, "NEW_LEADER_ELECTED"),
    (109, "OFFSET_MOVED_TO_TIERED_STORAGE"),
    (110, "FENCED_MEMBER_EPOCH"),
    (111, "UNRELEASED_INSTANCE_ID"),
    (112, "UNSUPPORTED_ASSIGNOR"),
    (113, "STALE_MEMBER_EPOCH"),
    (114, "MISMATCHED_ENDPOINT_TYPE"),
    (115, "UNSUPPORTED_ENDPOINT_TYPE"),
    (116, "UNKNOWN_CONTROLLER_ID"),
    (117, "UNKNOWN_SUBSCRIPTION_ID"),
    (118, "TELEMETRY_TOO_LARGE"),
    (119, "INVALID_REGISTRATION"),
    (120, "TRANSACTION_ABORTABLE"),
    (121, "INVALID_RECORD_STATE"),
    (122, "SHARE_SESSION_NOT_FOUND"),
    (123, "INVALID_SHARE_SESSION_EPOCH"),
    (124, "FENCED_STATE_EPOCH"),
    (125, "INVALID_VOTER_KEY"),
    (126, "DUPLICATE_VOTER"),
    (127, "VOTER_NOT_FOUND"),
    (128, "INVALID_REGULAR_EXPRESSION"),
    (129, "REBOOTSTRAP_REQUIRED"),
    (130, "STREAMS_INVALID_TOPOLOGY"),
    (131, "STREAMS_INVALID_TOPOLOGY_EPOCH"),
    (132, "STREAMS_TOPOLOGY_FENCED"),
    (133, "SHARE_SESSION_LIMIT_REACHED"),
];
