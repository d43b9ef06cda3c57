module hooks
