package metaprotocol.peer;

import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Every kind of call that an administrator's client has, one of each, so that every kind of request is seen. */
final class Administration {
    private final Clients clients;
    private final String id;
    private final String topic;
    private final String group;

    Administration(Clients clients, Options options) {
        this.clients = clients;
        id = clients.name + "-admin";
        topic = options.text("topic", "orders");
        group = options.text("group", "billing");
    }

    /** Its outcome is that of a future; nothing is told of its value. */
    private interface Call {
        Object run() throws Exception;
    }

    private void call(String action, Call call) {
        Told.by(id, action, Told.of(), () -> {
            call.run();
            return null;
        });
    }

    void run() {
        TopicPartition partition = new TopicPartition(topic, 0);
        ConfigResource topicConfig = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        ConfigResource brokerConfig = new ConfigResource(ConfigResource.Type.BROKER, "1");
        AclBinding acl = new AclBinding(
                new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL),
                new AccessControlEntry("User:bob", "*", AclOperation.READ, AclPermissionType.ALLOW));
        ClientQuotaEntity quoted =
                new ClientQuotaEntity(Collections.singletonMap(ClientQuotaEntity.CLIENT_ID, "nobody"));
        try (Admin admin = clients.admin()) {
            call("describe_cluster", () -> admin.describeCluster().nodes().get());
            call("describe_features", () -> admin.describeFeatures().featureMetadata().get());
            call("describe_quorum", () -> admin.describeMetadataQuorum().quorumInfo().get());
            call("create_topic", () -> admin.createTopics(Collections.singleton(
                    new NewTopic(topic, 1, (short) 1).configs(Collections.singletonMap("retention.ms", "86400000"))))
                    .all().get());
            call("create_partitions", () -> admin.createPartitions(
                    Collections.singletonMap(topic, NewPartitions.increaseTo(3))).all().get());
            call("describe_topic", () -> admin.describeTopics(Collections.singleton(topic)).allTopicNames().get());
            call("describe_configs", () -> admin.describeConfigs(Collections.singleton(topicConfig)).all().get());
            call("alter_configs", () -> admin.incrementalAlterConfigs(Collections.singletonMap(
                    topicConfig,
                    Collections.singleton(
                            new AlterConfigOp(new ConfigEntry("retention.ms", "1000"), AlterConfigOp.OpType.SET))))
                    .all().get());
            call("alter_configs", () -> admin.incrementalAlterConfigs(Collections.singletonMap(
                    brokerConfig,
                    Collections.singleton(
                            new AlterConfigOp(new ConfigEntry("log.cleaner.threads", "1"), AlterConfigOp.OpType.SET))))
                    .all().get());
            try (Producer<byte[], byte[]> producer = clients.producer(clients.name + "-producer-all", "acks", "all")) {
                Clients.produce(producer, clients.name + "-producer-all", "all", topic, 0, "to be deleted");
                Clients.produce(producer, clients.name + "-producer-all", "all", topic, 0, "to stay");
            }
            call("list_offsets", () -> admin.listOffsets(Collections.singletonMap(partition, OffsetSpec.latest()))
                    .all().get());
            call("delete_records", () -> admin.deleteRecords(
                    Collections.singletonMap(partition, RecordsToDelete.beforeOffset(1))).all().get());
            call("describe_log_dirs", () -> admin.describeLogDirs(Collections.singleton(1)).allDescriptions().get());
            call("alter_replica_log_dirs", () -> admin.alterReplicaLogDirs(
                    Collections.singletonMap(new TopicPartitionReplica(topic, 0, 1), "/nowhere")).all().get());
            call("elect_leaders", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).all().get());
            call("alter_reassignments", () -> admin.alterPartitionReassignments(Map.of(
                    partition, Optional.of(new NewPartitionReassignment(Collections.singletonList(1))))).all().get());
            call("list_reassignments", () -> admin.listPartitionReassignments().reassignments().get());
            call("describe_producers", () -> admin.describeProducers(Set.of(partition)).all().get());

            call("create_acls", () -> admin.createAcls(Set.of(acl)).all().get());
            call("describe_acls", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
            call("delete_acls", () -> admin.deleteAcls(Set.of(acl.toFilter())).all().get());
            call("alter_quotas", () -> admin.alterClientQuotas(Set.of(new ClientQuotaAlteration(
                    quoted, Set.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e6))))).all().get());
            call("describe_quotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());
            call("alter_scram", () -> admin.alterUserScramCredentials(Collections.singletonList(
                    new UserScramCredentialUpsertion(
                            "bob", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "builder"))).all().get());
            call("describe_scram", () -> admin.describeUserScramCredentials().all().get());
            call("create_token", () -> admin.createDelegationToken().delegationToken().get());
            call("describe_tokens", () -> admin.describeDelegationToken().delegationTokens().get());
            call("renew_token", () -> admin.renewDelegationToken(new byte[] {1, 2, 3}).expiryTimestamp().get());
            call("expire_token", () -> admin.expireDelegationToken(new byte[] {1, 2, 3}).expiryTimestamp().get());

            call("alter_group_offsets", () -> admin.alterConsumerGroupOffsets(
                    group, Map.of(partition, new OffsetAndMetadata(1))).all().get());
            call("group_offsets", () -> admin.listConsumerGroupOffsets(group).all().get());
            call("list_groups", () -> admin.listConsumerGroups().all().get());
            call("describe_group", () -> admin.describeConsumerGroups(Set.of(group)).all().get());
            call("delete_group_offsets", () -> admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get());
            call("remove_members", () -> admin.removeMembersFromConsumerGroup(
                    group, new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("ghost")))).all().get());
            call("delete_group", () -> admin.deleteConsumerGroups(Set.of(group)).all().get());

            call("list_transactions", () -> admin.listTransactions().all().get());
            call("describe_transactions", () -> admin.describeTransactions(Set.of("ghost")).all().get());
            call("abort_transaction", () -> admin.abortTransaction(
                    new AbortTransactionSpec(partition, 12345, (short) 0, 0)).all().get());
            call("fence_producers", () -> admin.fenceProducers(Set.of("fenced")).all().get());
            call("update_features", () -> admin.updateFeatures(
                    new TreeMap<>(Map.of("kraft.version", new FeatureUpdate((short) 99, FeatureUpdate.UpgradeType.UPGRADE))),
                    new org.apache.kafka.clients.admin.UpdateFeaturesOptions().validateOnly(true)).all().get());
            call("unregister_broker", () -> admin.unregisterBroker(99).all().get());
            call("list_client_metrics", () -> admin.listClientMetricsResources().all().get());
            call("delete_topic", () -> admin.deleteTopics(Set.of(topic)).all().get());
        }
    }
}
